// Builds an ONNX model (onnx.ai/onnx/repo-docs/IR.html), a graph of operations on named tensors.
#pragma once

#include <cstdint>
#include <filesystem>
#include <initializer_list>
#include <map>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "src/io/protobuf.h"

namespace gpuvae::io {

// The version of ONNX's operators that the models use. Runtimes from 2022 on support it.
inline constexpr int kOnnxOperatorSet = 17;

class OnnxGraph {
 public:
  explicit OnnxGraph(const std::string& name) { graph_.text(2, name); }

  // @{
  // Adds an input or an output, f32 [batch, columns]. The size "batch" is chosen when the model runs.
  void add_input(const std::string& name, std::int64_t columns, const std::string& description);
  void add_output(const std::string& name, std::int64_t columns, const std::string& description);
  // @}
  // Adds a constant tensor, f32 with this shape, and returns its name.
  std::string add_constant(const std::string& name, std::span<const std::int64_t> shape,
                           std::span<const float> values);
  // Adds a constant number under a new name, which it returns.
  std::string add_number(float value);

  // An attribute of an operation: an integer or a float.
  struct Attribute {
    Attribute(std::string attribute, std::int64_t number) : name(std::move(attribute)), integer(number) {}
    Attribute(std::string attribute, float number)
        : name(std::move(attribute)), is_float(true), real(number) {}

    std::string name;
    bool is_float = false;
    std::int64_t integer = 0;
    float real = 0;
  };
  // @{
  // Adds the operation `type` with one output, and returns the output's name: `output`, or a new name.
  std::string add(const std::string& type, std::initializer_list<std::string> inputs,
                  std::initializer_list<Attribute> attributes = {}, const std::string& output = "");
  // @}
  // Splits the columns of a tensor into two halves of equal size, and returns their names.
  std::pair<std::string, std::string> add_split(const std::string& input);

  // Writes the model with its metadata. The file is written completely or not at all. Throws Error "[write]
  // path: reason".
  void write(const std::filesystem::path& path, const std::map<std::string, std::string>& metadata) const;

 private:
  ProtobufMessage value_info(const std::string& name, std::int64_t columns, const std::string& description);
  std::string new_name();
  void add_node(const std::string& type, std::span<const std::string> inputs,
                std::span<const std::string> outputs, std::span<const Attribute> attributes);

  ProtobufMessage graph_;
  int names_ = 0;
};

}  // namespace gpuvae::io

#include "src/io/onnx_graph.h"

#include <limits>

#include "gpuvae/version.h"
#include "kernels/check.h"
#include "src/io/file.h"

// The numbers of the fields are those of onnx.proto (github.com/onnx/onnx/blob/main/onnx/onnx.proto).
namespace gpuvae::io {
namespace {

constexpr int kIrVersion = 8;  // the first one for operator set 17
constexpr int kFloat = 1;      // TensorProto.DataType

}  // namespace

ProtobufMessage OnnxGraph::value_info(const std::string& name, std::int64_t columns,
                                      const std::string& description) {
  ProtobufMessage batch, width, shape, tensor, type, info;
  batch.text(2, "batch");
  width.integer(1, columns);
  shape.message(1, batch);
  shape.message(1, width);
  tensor.integer(1, kFloat);
  tensor.message(2, shape);
  type.message(1, tensor);
  info.text(1, name);
  info.message(2, type);
  info.text(3, description);
  return info;
}

void OnnxGraph::add_input(const std::string& name, std::int64_t columns, const std::string& description) {
  graph_.message(11, value_info(name, columns, description));
}
void OnnxGraph::add_output(const std::string& name, std::int64_t columns, const std::string& description) {
  graph_.message(12, value_info(name, columns, description));
}

std::string OnnxGraph::add_constant(const std::string& name, std::span<const std::int64_t> shape,
                                    std::span<const float> values) {
  ProtobufMessage tensor;
  for (const std::int64_t extent : shape) tensor.integer(1, extent);
  tensor.integer(2, kFloat);
  tensor.text(8, name);
  const auto bytes = std::as_bytes(values);
  tensor.text(9, {reinterpret_cast<const char*>(bytes.data()), bytes.size()});
  graph_.message(5, tensor);
  return name;
}

std::string OnnxGraph::new_name() { return fmt::format("v{}", names_++); }

std::string OnnxGraph::add_number(float value) { return add_constant(new_name(), {}, std::span(&value, 1)); }

void OnnxGraph::add_node(const std::string& type, std::span<const std::string> inputs,
                         std::span<const std::string> outputs, std::span<const Attribute> attributes) {
  ProtobufMessage node;
  for (const std::string& input : inputs) node.text(1, input);
  for (const std::string& output : outputs) node.text(2, output);
  node.text(3, outputs[0]);
  node.text(4, type);
  for (const Attribute& a : attributes) {
    ProtobufMessage attribute;
    attribute.text(1, a.name);
    if (a.is_float)
      attribute.number(2, a.real);
    else
      attribute.integer(3, a.integer);
    attribute.integer(20, a.is_float ? 1 : 2);  // AttributeType: FLOAT or INT
    node.message(5, attribute);
  }
  graph_.message(1, node);
}

std::string OnnxGraph::add(const std::string& type, std::initializer_list<std::string> inputs,
                           std::initializer_list<Attribute> attributes, const std::string& output) {
  const std::string name = output.empty() ? new_name() : output;
  add_node(type, std::span(inputs.begin(), inputs.size()), std::span(&name, 1),
           std::span(attributes.begin(), attributes.size()));
  return name;
}

std::pair<std::string, std::string> OnnxGraph::add_split(const std::string& input) {
  const std::string halves[] = {new_name(), new_name()};
  const Attribute axis("axis", std::int64_t{1});
  add_node("Split", std::span(&input, 1), halves, std::span(&axis, 1));
  return {halves[0], halves[1]};
}

void OnnxGraph::write(const std::filesystem::path& path,
                      const std::map<std::string, std::string>& metadata) const {
  ProtobufMessage model, operators;
  model.integer(1, kIrVersion);
  model.text(2, "gpuvae");
  model.text(3, version());
  model.message(7, graph_);
  operators.text(1, "");  // the domain of ONNX's own operators
  operators.integer(2, kOnnxOperatorSet);
  model.message(8, operators);
  for (const auto& [key, value] : metadata) {
    ProtobufMessage entry;
    entry.text(1, key);
    entry.text(2, value);
    model.message(14, entry);
  }
  // Readers of protobuf refuse larger messages.
  constexpr std::size_t kMaxBytes = std::numeric_limits<std::int32_t>::max();
  check(model.bytes().size() <= kMaxBytes, file_error("write"),
        "{}: expected a model of at most {} bytes, got {}", path.string(), kMaxBytes, model.bytes().size());
  write_file(path, model.bytes());
}

}  // namespace gpuvae::io

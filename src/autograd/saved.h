// A tensor that an operation keeps for its backward function.
#pragma once

#include <cstdint>
#include <utility>

#include "gpuvae/tensor.h"

namespace gpuvae::autograd {

// Holds a tensor and its version at construction. The check in get() only compares two version numbers.
class Saved {
 public:
  Saved() = default;
  // `operation` names the operation in the error and must live as long as the node.
  Saved(const char* operation, Tensor tensor)
      : tensor_(std::move(tensor)), version_(tensor_.version()), operation_(operation) {}

  // Throws Error if the elements were changed in place after they were saved.
  const Tensor& get() const {
    if (tensor_.version() != version_) [[unlikely]]
      fail_changed();
    return tensor_;
  }
  explicit operator bool() const { return static_cast<bool>(tensor_); }

 private:
  [[noreturn]] void fail_changed() const;

  Tensor tensor_;
  std::uint64_t version_ = 0;
  const char* operation_ = "";
};

}  // namespace gpuvae::autograd

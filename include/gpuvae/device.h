// Devices and streams.
#pragma once

#include <memory>
#include <string>

namespace gpuvae {

namespace kernels {
class Backend;
}

class Device {
 public:
  enum class Kind { cpu, cuda };

  [[nodiscard]] static Device cpu() { return Device(Kind::cpu, 0); }
  // Creates the device's context. Throws Error if there is no such device, or if the library was built
  // without code that the device can run, saying why.
  [[nodiscard]] static Device cuda(int index = 0);
  [[nodiscard]] static Device best();     // the first CUDA device, or the CPU
  [[nodiscard]] static int cuda_count();  // 0 without CUDA, a driver or a device
  // "auto", "cpu", "cuda" or "cuda:1".
  [[nodiscard]] static Device parse(const std::string& text);

  [[nodiscard]] Kind kind() const { return kind_; }
  [[nodiscard]] int index() const { return index_; }
  [[nodiscard]] bool is_cpu() const { return kind_ == Kind::cpu; }
  [[nodiscard]] std::string text() const;         // "cpu", "cuda:0"
  [[nodiscard]] std::string description() const;  // the model's name, for people
  [[nodiscard]] kernels::Backend& backend() const;

  bool operator==(const Device&) const = default;

 private:
  Device(Kind kind, int index) : kind_(kind), index_(index) {}
  Kind kind_;
  int index_;
};

// A sequence of work on one device. Copies share it. On the CPU work is done when the call returns.
class Stream {
 public:
  explicit Stream(Device device);  // a new one, owned
  // A cudaStream_t of the caller's, not owned.
  [[nodiscard]] static Stream wrap(Device device, void* foreign_handle);
  [[nodiscard]] static Stream current(Device device);  // of this thread; the device's default at first

  [[nodiscard]] Device device() const { return device_; }
  [[nodiscard]] void* handle() const { return handle_.get(); }
  void synchronize() const;  // waits for all work given so far
  bool operator==(const Stream& o) const { return device_ == o.device_ && handle_ == o.handle_; }

 private:
  Stream(Device device, std::shared_ptr<void> handle) : device_(device), handle_(std::move(handle)) {}
  Device device_;
  std::shared_ptr<void> handle_;
};

// Makes `stream` the current one of its device and this thread, until the guard dies.
class StreamGuard {
 public:
  explicit StreamGuard(Stream stream);
  ~StreamGuard();
  StreamGuard(const StreamGuard&) = delete;
  StreamGuard& operator=(const StreamGuard&) = delete;

 private:
  Stream previous_;
};

}  // namespace gpuvae

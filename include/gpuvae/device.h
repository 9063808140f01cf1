// Devices, streams and events. All of these are handles: copies share what they stand for, and any thread may
// use them. Errors of CUDA are thrown as Error.
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

// A point in the work of a stream, made by Stream::record(). On the CPU, where work is done when the call
// returns, it is a point in time.
class Event {
 public:
  [[nodiscard]] Device device() const { return device_; }
  // The host waits for the work before this point. Throws Error while the device's work is captured.
  void synchronize() const;
  // Milliseconds from `start`, an earlier event of the same device, to this one, by the device's clock. The
  // host waits for this event. Throws Error while the device's work is captured.
  [[nodiscard]] double milliseconds_since(const Event& start) const;

 private:
  friend class Stream;
  Event(Device device, std::shared_ptr<void> handle) : device_(device), handle_(std::move(handle)) {}
  Device device_;
  std::shared_ptr<void> handle_;
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
  void synchronize() const;            // the host waits for all work given so far
  [[nodiscard]] Event record() const;  // the end of the work given so far
  // Work that this stream is given from now on waits for the event, of any stream and device. The host does
  // not wait, except where a CPU stream waits for an event of CUDA.
  void wait(const Event& event) const;
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

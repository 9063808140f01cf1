// Devices, streams and events. All of these are handles: copies share what they stand for, and any thread may
// use them. Errors of CUDA are thrown as Error.
#pragma once

#include <memory>
#include <string>

namespace gpuvae {

namespace kernels {
class Backend;
}

// The CPU, or a CUDA device by its number.
class Device {
 public:
  // What a device is.
  enum class Kind { cpu, cuda };

  // The CPU, which is always there.
  [[nodiscard]] static Device cpu() { return Device(Kind::cpu, 0); }
  // Creates the device's context. Throws Error if there is no such device, or if the library was built
  // without code that the device can run, saying why.
  [[nodiscard]] static Device cuda(int index = 0);
  // The first CUDA device, or the CPU if there is none.
  [[nodiscard]] static Device best();
  // 0 without CUDA, a driver or a device.
  [[nodiscard]] static int cuda_count();
  // From "auto" (best()), "cpu", "cuda" or "cuda:1". Throws Error for other texts.
  [[nodiscard]] static Device parse(const std::string& text);

  // @{
  // What this is; the index of the CPU is 0.
  [[nodiscard]] Kind kind() const { return kind_; }
  [[nodiscard]] int index() const { return index_; }
  [[nodiscard]] bool is_cpu() const { return kind_ == Kind::cpu; }
  // @}
  // "cpu" or "cuda:0".
  [[nodiscard]] std::string text() const;
  // The name of the processor or GPU, for people.
  [[nodiscard]] std::string description() const;
  // The kernels of the device; internal.
  [[nodiscard]] kernels::Backend& backend() const;

  // Whether both are the same device.
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
  // The device of the stream that recorded the event.
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
  // A new stream, which the last copy destroys after its work is done.
  explicit Stream(Device device);
  // A cudaStream_t of the caller, who keeps it alive while copies exist.
  [[nodiscard]] static Stream wrap(Device device, void* foreign_handle);
  // The current stream of this thread, to which all work goes: the device's default stream at first.
  [[nodiscard]] static Stream current(Device device);

  // The device that does the work.
  [[nodiscard]] Device device() const { return device_; }
  // The cudaStream_t; null on the CPU.
  [[nodiscard]] void* handle() const { return handle_.get(); }
  // The host waits for all work given so far. Throws Error while the stream is captured.
  void synchronize() const;
  // The end of the work given so far.
  [[nodiscard]] Event record() const;
  // Work that this stream is given from now on waits for the event, of any stream and device. The host does
  // not wait, except where a CPU stream waits for an event of CUDA.
  void wait(const Event& event) const;
  // Whether both are the same stream.
  bool operator==(const Stream& o) const { return device_ == o.device_ && handle_ == o.handle_; }

 private:
  Stream(Device device, std::shared_ptr<void> handle) : device_(device), handle_(std::move(handle)) {}
  Device device_;
  std::shared_ptr<void> handle_;
};

// Makes `stream` the current one of its device and this thread until the end of the scope.
class StreamGuard {
 public:
  // Remembers the stream that was current.
  explicit StreamGuard(Stream stream);
  ~StreamGuard();
  StreamGuard(const StreamGuard&) = delete;
  StreamGuard& operator=(const StreamGuard&) = delete;

 private:
  Stream previous_;
};

}  // namespace gpuvae

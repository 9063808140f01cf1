// Devices, streams and events. All three are handles: copies refer to the same object, and any thread may use
// them. CUDA errors are thrown as Error.
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
  // The kind of a device.
  enum class Kind { cpu, cuda };

  // The CPU, which is always available.
  [[nodiscard]] static Device cpu() { return Device(Kind::cpu, 0); }
  // Creates the device's context. Throws Error with the reason if there is no such device, or if the library
  // was built without code that the device can run.
  [[nodiscard]] static Device cuda(int index = 0);
  // The first CUDA device, or the CPU if there is none.
  [[nodiscard]] static Device best();
  // The number of CUDA devices. It is 0 without CUDA support, a driver or a device.
  [[nodiscard]] static int cuda_count();
  // Parses "auto" (best()), "cpu", "cuda" or "cuda:1". Throws Error for any other text.
  [[nodiscard]] static Device parse(const std::string& text);

  // @{
  // The kind of this device, and its index, which is 0 for the CPU.
  [[nodiscard]] Kind kind() const { return kind_; }
  [[nodiscard]] int index() const { return index_; }
  [[nodiscard]] bool is_cpu() const { return kind_ == Kind::cpu; }
  // @}
  // "cpu" or "cuda:0".
  [[nodiscard]] std::string text() const;
  // A readable name of the processor or GPU.
  [[nodiscard]] std::string description() const;
  // The device's kernels, for internal use.
  [[nodiscard]] kernels::Backend& backend() const;

  // Whether both are the same device.
  bool operator==(const Device&) const = default;

 private:
  Device(Kind kind, int index) : kind_(kind), index_(index) {}
  Kind kind_;
  int index_;
};

// A point in the work of a stream, made by Stream::record(). On the CPU, where work is complete when the call
// returns, it is a point in time.
class Event {
 public:
  // The device of the stream that recorded the event.
  [[nodiscard]] Device device() const { return device_; }
  // Makes the host wait for the work before this point. Throws Error during a capture on the device.
  void synchronize() const;
  // Returns the milliseconds from `start`, an earlier event of the same device, to this event, measured by
  // the device's clock. Makes the host wait for this event. Throws Error during a capture on the device.
  [[nodiscard]] double milliseconds_since(const Event& start) const;

 private:
  friend class Stream;
  Event(Device device, std::shared_ptr<void> handle) : device_(device), handle_(std::move(handle)) {}
  Device device_;
  std::shared_ptr<void> handle_;
};

// A queue of work on one device, which copies share. On the CPU, work is complete when the call returns.
class Stream {
 public:
  // Creates a stream, which is destroyed with its last copy, after its work is done.
  explicit Stream(Device device);
  // Wraps a cudaStream_t of the caller, who keeps it alive while copies exist.
  [[nodiscard]] static Stream wrap(Device device, void* foreign_handle);
  // Returns the calling thread's current stream, which receives all work of the thread. Initially, it is the
  // device's default stream.
  [[nodiscard]] static Stream current(Device device);

  // The device that executes the work.
  [[nodiscard]] Device device() const { return device_; }
  // The cudaStream_t; null on the CPU.
  [[nodiscard]] void* handle() const { return handle_.get(); }
  // Makes the host wait for all work queued so far. Throws Error while the stream is captured.
  void synchronize() const;
  // Returns an event after the work queued so far.
  [[nodiscard]] Event record() const;
  // Makes all work that is queued on this stream from now on wait for an event of any stream and device. The
  // host does not wait, unless a CPU stream waits for a CUDA event.
  void wait(const Event& event) const;
  // Whether both are the same stream.
  bool operator==(const Stream& o) const { return device_ == o.device_ && handle_ == o.handle_; }

 private:
  Stream(Device device, std::shared_ptr<void> handle) : device_(device), handle_(std::move(handle)) {}
  Device device_;
  std::shared_ptr<void> handle_;
};

// Makes `stream` the current stream of its device and of this thread until the end of the scope.
class StreamGuard {
 public:
  // Saves the stream that was current before.
  explicit StreamGuard(Stream stream);
  ~StreamGuard();
  StreamGuard(const StreamGuard&) = delete;
  StreamGuard& operator=(const StreamGuard&) = delete;

 private:
  Stream previous_;
};

}  // namespace gpuvae

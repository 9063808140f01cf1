// Devices, streams and events. All three are handles: copies refer to the same object, and any thread may use
// them. CUDA errors are thrown as Error.
#pragma once

#include <memory>
#include <string>

#include "gpuvae/language.h"

namespace gpuvae::kernels {
class Backend;
}  // namespace gpuvae::kernels

#pragma GCC visibility push(default)
namespace gpuvae {

// The CPU, or one CUDA device, identified by its index.
class Device {
 public:
  // The kind of a device.
  enum class Kind { cpu, cuda };

  // Returns the CPU, which is always available.
  [[nodiscard]] static Device cpu() { return Device(Kind::cpu, 0); }
  // Returns the CUDA device with the given index, and creates its context. Throws Error with the reason if
  // the device does not exist, or if the library contains no code that it can run.
  [[nodiscard]] static Device cuda(int index = 0);
  // Returns the first CUDA device, or the CPU if there is none. Throws Error if that CUDA device is not
  // usable; see cuda().
  [[nodiscard]] static Device best();
  // The number of CUDA devices. It is 0 if the build has no CUDA, or if there is no driver or no device.
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

// A point in the work of a stream, made by Stream::record(). On the CPU, where all work is complete when a
// call returns, it only holds the time.
class Event {
 public:
  // @{
  // Copies refer to the same point. There is no move, so no event is ever empty.
  Event(const Event&) = default;
  Event& operator=(const Event&) = default;
  // @}
  // The device of the stream that recorded the event.
  [[nodiscard]] Device device() const { return device_; }
  // Makes the host wait for all work that precedes the event on its stream. Throws Error during a capture on
  // the device.
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

// A queue of work on one device. Copies refer to the same queue. On the CPU, work is complete when the call
// returns.
class Stream {
 public:
  // Creates a stream. Destroying its last copy waits for its work and then destroys the stream.
  explicit Stream(Device device);
  // @{
  // Copies refer to the same queue. There is no move, because an emptied stream would be the default stream.
  Stream(const Stream&) = default;
  Stream& operator=(const Stream&) = default;
  // @}
  // Wraps a cudaStream_t of the caller, who must keep it alive while copies of the result exist.
  [[nodiscard]] static Stream wrap(Device device, void* foreign_handle);
  // Returns the calling thread's current stream on a device. All work of the thread for that device goes to
  // it. Initially, it is the device's default stream.
  [[nodiscard]] static Stream current(Device device);

  // The device that executes the work.
  [[nodiscard]] Device device() const { return device_; }
  // The cudaStream_t; null on the CPU.
  [[nodiscard]] void* handle() const { return handle_.get(); }
  // Makes the host wait for all work queued so far. Throws Error while the stream is captured.
  void synchronize() const;
  // Returns an event after the work queued so far.
  [[nodiscard]] Event record() const;
  // Makes all later work on this stream wait for an event, which may belong to any stream and device. The
  // host does not wait, unless a CPU stream waits for a CUDA event.
  void wait(const Event& event) const;
  // Whether both are the same stream.
  bool operator==(const Stream& o) const { return device_ == o.device_ && handle_ == o.handle_; }

 private:
  Stream(Device device, std::shared_ptr<void> handle) : device_(device), handle_(std::move(handle)) {}
  Device device_;
  std::shared_ptr<void> handle_;
};

// Makes `stream` the calling thread's current stream for its device until the end of the scope.
class StreamGuard {
 public:
  // Makes `stream` current. The destructor, which must run in the same thread, restores the previous one.
  explicit StreamGuard(const Stream& stream);
  ~StreamGuard();
  StreamGuard(const StreamGuard&) = delete;
  StreamGuard& operator=(const StreamGuard&) = delete;

 private:
  friend class Stream;
  Stream stream_;
  StreamGuard* outer_;  // the innermost guard of this thread when this one was made, or null
};

}  // namespace gpuvae
#pragma GCC visibility pop

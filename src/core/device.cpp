#include "gpuvae/device.h"

#include <charconv>
#include <utility>

#include "kernels/backend.h"
#include "kernels/check.h"
#include "src/core/memory.h"

namespace gpuvae {

Device Device::cuda(int index) {
  const int count = cuda_count();
  check(count > 0, unsupported("device"), "expected a CUDA device for cuda:{}, got none ({})", index,
        kernels::cuda_status());
  check(index >= 0 && index < count, "device", "expected a CUDA device from cuda:0 to cuda:{}, got cuda:{}",
        count - 1, index);
  // cuda_backend() must be called first: only then does cuda_status() contain the reason for a failure.
  const bool usable = kernels::cuda_backend(index) != nullptr;
  check(usable, unsupported("device"), "CUDA device {} is not usable: {}", index, kernels::cuda_status());
  return Device(Kind::cuda, index);
}
Device Device::best() { return cuda_count() > 0 ? cuda(0) : cpu(); }
int Device::cuda_count() { return kernels::cuda_device_count(); }

Device Device::parse(const std::string& text) {
  if (text == "auto") return best();
  if (text == "cpu") return cpu();
  if (text == "cuda") return cuda(0);
  int index = -1;
  if (text.starts_with("cuda:")) {
    const auto [end, error] = std::from_chars(text.data() + 5, text.data() + text.size(), index);
    if (error == std::errc() && end == text.data() + text.size()) return cuda(index);
  }
  fail("device", "expected auto, cpu, cuda or cuda:N, got {}", text);
}

std::string Device::text() const { return is_cpu() ? "cpu" : fmt::format("cuda:{}", index_); }
std::string Device::description() const { return backend().description(); }

kernels::Backend& Device::backend() const {
  if (is_cpu()) return kernels::cpu_backend();
  kernels::Backend* cuda = kernels::cuda_backend(index_);
  check(cuda != nullptr, unsupported("device"), "no CUDA device {}: {}", index_, kernels::cuda_status());
  return *cuda;
}

Stream::Stream(Device device)
    : device_(device), handle_(device.backend().create_stream(), [device](void* handle) {
        if (!handle) return;
        device.backend().destroy_stream(handle);
        release_stream(device, handle);
      }) {}

Stream Stream::wrap(Device device, void* handle) {
  return Stream(device, {handle, [](void*) {}});
}

namespace {
// The innermost guard of this thread, or null. It is a plain pointer, because a thread_local object with a
// destructor keeps dlclose() from unloading the library until the thread ends.
thread_local StreamGuard* innermost_guard = nullptr;
}  // namespace

Stream Stream::current(Device device) {
  if (!device.is_cpu())
    for (const StreamGuard* guard = innermost_guard; guard; guard = guard->outer_)
      if (guard->stream_.device() == device) return guard->stream_;
  return Stream(device, std::shared_ptr<void>());
}

void Stream::synchronize() const {
  refuse_in_capture("synchronize", device_);
  device_.backend().synchronize(handle());
}

Event Stream::record() const {
  const kernels::EventHandle event = device_.backend().record_event(handle());
  return Event(device_, {event, [device = device_](void* e) { device.backend().destroy_event(e); }});
}

void Stream::wait(const Event& event) const {
  if (event.device_.is_cpu()) return;  // work on the CPU is already complete
  if (device_.is_cpu()) return event.synchronize();
  device_.backend().wait_event(handle(), event.handle_.get());
}

void Event::synchronize() const {
  refuse_in_capture("synchronize", device_);
  device_.backend().synchronize_event(handle_.get());
}

double Event::milliseconds_since(const Event& start) const {
  refuse_in_capture("milliseconds_since", device_);
  check(start.device_ == device_, "milliseconds_since", "expected an event of {}, got one of {}", device_,
        start.device_);
  return device_.backend().milliseconds_between(start.handle_.get(), handle_.get());
}

StreamGuard::StreamGuard(const Stream& stream) : stream_(stream), outer_(innermost_guard) {
  innermost_guard = this;
}
StreamGuard::~StreamGuard() {
  StreamGuard** place = &innermost_guard;
  while (*place && *place != this) place = &(*place)->outer_;
  if (*place) *place = outer_;
}

}  // namespace gpuvae

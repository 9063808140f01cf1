// The methods of Backend that start a kernel, observed or not.
#include "kernels/backend.h"

#include <atomic>

#include "kernels/observer.h"
#include "kernels/ranges.h"

namespace gpuvae::kernels {

template <class Args>
void Backend::start(const char* name, const Args& args, StreamHandle stream) {
  const Range range(name);
  KernelObserver* observer = std::atomic_ref(observer_).load(std::memory_order_relaxed);
  if (!observer) [[likely]]
    return run(args, stream);
  KernelCall call{name, args.bytes()};
  if constexpr (requires { args.flops(); }) call.flops = args.flops();
  observer->call(call, stream, [&] { run(args, stream); });
}

#define GPUVAE_METHOD(method, Args) \
  void Backend::method(const Args& args, StreamHandle stream) { start(#method, args, stream); }
GPUVAE_KERNELS(GPUVAE_METHOD)
#undef GPUVAE_METHOD

KernelObserver* Backend::set_observer(KernelObserver* observer) {
  return std::atomic_ref(observer_).exchange(observer);
}

}  // namespace gpuvae::kernels

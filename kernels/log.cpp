#include "kernels/log.h"

#include <atomic>
#include <cstddef>
#include <iterator>
#include <memory>
#include <mutex>
#include <utility>

#include "kernels/enumerators.h"

namespace gpuvae {
namespace {

constexpr int kNobody = 255;  // above every level

// The callback and its lock are never destroyed, because threads may log while the process ends.
struct Receiver {
  std::mutex guard;
  std::shared_ptr<const LogCallback> callback;
};
Receiver& receiver() {
  static Receiver& only = *new Receiver;
  return only;
}
constinit std::atomic<int> lowest_level = kNobody;

}  // namespace

std::string_view name(LogLevel level) {
  constexpr std::string_view names[] = {"debug", "info", "warning"};
  static_assert(std::size(names) == kEnumerators<LogLevel>);
  check_enumerator("name", "log level", level);
  return names[static_cast<std::size_t>(level)];
}

void set_log_callback(LogCallback callback, LogLevel lowest) {
  check_enumerator("set_log_callback", "log level", lowest);
  const bool listens = static_cast<bool>(callback);
  auto fresh = listens ? std::make_shared<const LogCallback>(std::move(callback)) : nullptr;
  {
    const std::lock_guard lock(receiver().guard);
    receiver().callback.swap(fresh);
    lowest_level.store(listens ? static_cast<int>(lowest) : kNobody, std::memory_order_relaxed);
  }
  // The previous callback is destroyed here, outside the lock, because its destructor may log.
}

bool is_logged(LogLevel level) noexcept {
  return static_cast<int>(level) >= lowest_level.load(std::memory_order_relaxed);
}

void send_log(LogLevel level, std::string_view operation, std::string_view text) {
  std::shared_ptr<const LogCallback> callback;
  {
    const std::lock_guard lock(receiver().guard);
    callback = receiver().callback;
  }
  if (callback) (*callback)({level, operation, text});
}

}  // namespace gpuvae

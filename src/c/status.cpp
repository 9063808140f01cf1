#include "src/c/status.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <new>
#include <string>
#include <string_view>

#include "gpuvae/error.h"
#include "gpuvae/log.h"
#include "gpuvae/threads.h"
#include "gpuvae/version.h"
#include "kernels/check.h"

namespace gpuvae::c {
namespace {

// A plain array, because a destructor that runs at the end of a thread would keep dlclose() from unloading
// the library, and because recording an error must not allocate memory.
thread_local std::array<char, 2048> last_message{};

void remember(std::string_view operation, std::string_view message) {
  std::size_t at = 0;
  const auto append = [&](std::string_view text) {
    const std::size_t count = std::min(text.size(), last_message.size() - 1 - at);
    std::memcpy(last_message.data() + at, text.data(), count);
    at += count;
  };
  if (!operation.empty()) {
    append("[");
    append(operation);
    append("] ");
  }
  append(message);
  last_message[at] = '\0';
}

gpuvae_status status_of(ErrorKind kind) {
  switch (kind) {
    case ErrorKind::invalid_argument:
      return GPUVAE_INVALID_ARGUMENT;
    case ErrorKind::unsupported:
      return GPUVAE_UNSUPPORTED;
    case ErrorKind::out_of_memory:
      return GPUVAE_OUT_OF_MEMORY;
    case ErrorKind::io:
      return GPUVAE_IO;
    case ErrorKind::cuda:
      return GPUVAE_CUDA;
    case ErrorKind::not_finite:
      return GPUVAE_NOT_FINITE;
  }
  return GPUVAE_INTERNAL;
}

}  // namespace

gpuvae_status record_exception(const char* operation) noexcept {
  try {
    throw;
  } catch (const Error& error) {
    remember("", error.what());
    return status_of(error.kind());
  } catch (const CallbackError& error) {
    remember(operation, error.what());
    return GPUVAE_CALLBACK;
  } catch (const std::bad_alloc&) {
    remember(operation, "out of memory");
    return GPUVAE_OUT_OF_MEMORY;
  } catch (const std::exception& error) {
    remember(operation, error.what());
    return GPUVAE_INTERNAL;
  } catch (...) {
    remember(operation, "expected no exception, got one of an unknown type");
    return GPUVAE_INTERNAL;
  }
}

}  // namespace gpuvae::c

extern "C" {

uint32_t gpuvae_abi_version(void) { return GPUVAE_C_ABI_VERSION; }

const char* gpuvae_version(void) { return gpuvae::version(); }

const char* gpuvae_last_error(void) { return gpuvae::c::last_message.data(); }

const char* gpuvae_status_name(gpuvae_status status) {
  constexpr const char* kNames[] = {
      "GPUVAE_OK",   "GPUVAE_INVALID_ARGUMENT", "GPUVAE_UNSUPPORTED", "GPUVAE_OUT_OF_MEMORY", "GPUVAE_IO",
      "GPUVAE_CUDA", "GPUVAE_NOT_FINITE",       "GPUVAE_CALLBACK",    "GPUVAE_INTERNAL"};
  const auto index = static_cast<std::size_t>(status);
  return index < std::size(kNames) ? kNames[index] : "unknown status";
}

gpuvae_status gpuvae_set_num_threads(int64_t threads) {
  return gpuvae::c::guarded("gpuvae_set_num_threads", [&] {
    constexpr std::int64_t kMaxThreads = 1'000'000;
    gpuvae::check(threads >= 1 && threads <= kMaxThreads, "gpuvae_set_num_threads",
                  "expected 1 to {} threads, got {}", kMaxThreads, threads);
    gpuvae::set_num_threads(static_cast<int>(threads));
  });
}

gpuvae_status gpuvae_set_log_callback(gpuvae_log_callback callback, int64_t lowest, void* user) {
  return gpuvae::c::guarded("gpuvae_set_log_callback", [&] {
    gpuvae::check(lowest >= GPUVAE_LOG_DEBUG && lowest <= GPUVAE_LOG_WARNING, "gpuvae_set_log_callback",
                  "expected a level from {} to {}, got {}", int{GPUVAE_LOG_DEBUG}, int{GPUVAE_LOG_WARNING},
                  lowest);
    if (!callback) return gpuvae::set_log_callback({});
    gpuvae::set_log_callback(
        [=](const gpuvae::LogMessage& message) {
          callback(static_cast<int64_t>(message.level), std::string(message.operation).c_str(),
                   std::string(message.text).c_str(), user);
        },
        static_cast<gpuvae::LogLevel>(lowest));
  });
}

}  // extern "C"

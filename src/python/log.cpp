#include "src/python/log.h"

#include <nanobind/stl/string.h>

#include <atomic>
#include <deque>
#include <mutex>
#include <optional>
#include <utility>

#include "gpuvae/log.h"
#include "kernels/check.h"

namespace gpuvae::python {

namespace nb = nanobind;

namespace {

struct Message {
  LogLevel level;
  std::string operation, text;
};

// The largest number of messages that wait.
constexpr std::size_t kMaxWaiting = 10'000;

// Messages that wait for a thread with the GIL. Its lock is held for a moment only, and nobody waits for the
// GIL while holding it.
class MessageQueue {
 public:
  // Drops the message if too many wait.
  void push(const LogMessage& message) {
    const std::lock_guard lock(mutex_);
    if (messages_.size() >= kMaxWaiting) {
      ++dropped_;
      return;
    }
    messages_.push_back({message.level, std::string(message.operation), std::string(message.text)});
  }
  // Returns the oldest message, or after the last one how many were dropped since then, or nothing.
  std::optional<Message> pop() {
    const std::lock_guard lock(mutex_);
    if (messages_.empty()) {
      const std::size_t dropped = std::exchange(dropped_, 0);
      if (dropped == 0) return std::nullopt;
      return Message{LogLevel::warning, "log", "dropped " + std::to_string(dropped) + " messages"};
    }
    Message first = std::move(messages_.front());
    messages_.pop_front();
    return first;
  }
  void clear() {
    const std::lock_guard lock(mutex_);
    messages_.clear();
    dropped_ = 0;
  }

 private:
  std::mutex mutex_;
  std::deque<Message> messages_;
  std::size_t dropped_ = 0;
};

// The queue and the callback are never destroyed, because threads may log while the process ends.
std::atomic<MessageQueue*> queue = new MessageQueue;
std::atomic<bool> delivering = false;
// Only used with the GIL.
nb::object& log_callback() {
  static nb::object& only = *new nb::object;
  return only;
}

LogLevel level_of(const std::string& text) {
  for (const LogLevel level : {LogLevel::debug, LogLevel::info, LogLevel::warning})
    if (name(level) == text) return level;
  fail("set_log", "expected debug, info or warning as lowest level, got {}", text);
}

void call(const nb::object& callback, const Message& message) {
  try {
    // Texts may contain names of files, which need not be UTF-8.
    const nb::object text = nb::steal(
        PyUnicode_DecodeUTF8(message.text.data(), static_cast<Py_ssize_t>(message.text.size()), "replace"));
    if (!text.is_valid()) nb::raise_python_error();
    callback(std::string(name(message.level)), message.operation, text);
  } catch (nb::python_error& error) {
    if (error.matches(PyExc_KeyboardInterrupt)) {
      PyErr_SetInterrupt();
    } else {
      error.restore();
      PyErr_WriteUnraisable(callback.ptr());
    }
  }
}

}  // namespace

void set_log(const nb::object& callback, const std::string& lowest) {
  const LogLevel level = level_of(lowest);
  deliver_messages();
  if (callback.is_none()) return stop_log();
  if (PyCallable_Check(callback.ptr()) == 0)
    throw nb::type_error("[set_log] expected a function or None as callback");
  log_callback() = callback;
  set_log_callback([](const LogMessage& message) { queue.load()->push(message); }, level);
}

void deliver_messages() noexcept {
  if (delivering.exchange(true)) return;
  const nb::error_scope pending;
  try {
    // Other threads may report without end, so the number of messages of a call is limited.
    for (std::size_t i = 0; i < kMaxWaiting; ++i) {
      const std::optional<Message> message = queue.load()->pop();
      if (!message) break;
      // A copy, because the callback may set another one.
      const nb::object callback = log_callback();
      if (callback.is_valid()) call(callback, *message);
    }
  } catch (const std::exception&) {  // out of memory: a log does not change what the program does
  }
  delivering = false;
}

void stop_log() {
  set_log_callback({});
  queue.load()->clear();
  log_callback().reset();
}

void renew_log() {
  queue = new MessageQueue;
  delivering = false;
}

}  // namespace gpuvae::python

// Messages of the library for a Python callback. The library reports from any thread, also from one that
// holds a lock for which a thread with the GIL waits. So a message is only queued, without the GIL, and a
// thread that has the GIL delivers it: at the end of a call of the library, and while a call asks for
// signals.
#pragma once

#include <nanobind/nanobind.h>

#include <string>

namespace gpuvae::python {

// Makes callback(level, operation, text) receive the messages from level `lowest` upwards, which is debug,
// info or warning, instead of the previous callback; None receives none. Requires the GIL. Throws Error for
// another level and nb::type_error for an object that cannot be called.
void set_log(const nanobind::object& callback, const std::string& lowest);

// Calls the callback for the messages that wait, unless another call of this function does. Requires the GIL.
// An exception of the callback is reported by sys.unraisablehook, except that Ctrl-C is raised again later.
void deliver_messages() noexcept;

// Drops the callback and all messages. Requires the GIL.
void stop_log();
// Runs in the child of a fork, where another thread may have held the lock of the queue.
void renew_log();

}  // namespace gpuvae::python

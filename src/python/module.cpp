// The extension module gpuvae._core. The package in gpuvae/ checks and converts the arguments of users before
// it calls these functions.
#include <nanobind/nanobind.h>
#include <nanobind/stl/filesystem.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include "gpuvae/error.h"
#include "gpuvae/threads.h"
#include "gpuvae/version.h"
#include "src/python/description.h"
#include "src/python/device_array.h"
#include "src/python/interpreter.h"
#include "src/python/log.h"
#include "src/python/model_class.h"
#include "src/train/model_file.h"

namespace nb = nanobind;

namespace gpuvae::python {
namespace {

PyObject* exception_of(ErrorKind kind) {
  switch (kind) {
    case ErrorKind::invalid_argument:
      return PyExc_ValueError;
    case ErrorKind::out_of_memory:
      return PyExc_MemoryError;
    case ErrorKind::io:
      return PyExc_OSError;
    case ErrorKind::unsupported:
    case ErrorKind::cuda:
    case ErrorKind::not_finite:
      break;
  }
  return PyExc_RuntimeError;
}

void translate(const std::exception_ptr& error, void*) {
  try {
    std::rethrow_exception(error);
  } catch (const Error& e) {
    PyErr_SetString(exception_of(e.kind()), e.what());
  }
}

}  // namespace
}  // namespace gpuvae::python

NB_MODULE(_core, module) {
  using namespace gpuvae::python;
  using namespace nb::literals;
  // Daemon threads keep their objects when the interpreter exits.
  nb::set_leak_warnings(false);
  nb::register_exception_translator(&translate);
  nb::module_::import_("atexit").attr("register")(nb::cpp_function(&prepare_exit));
  nb::module_::import_("os").attr("register_at_fork")("after_in_child"_a =
                                                          nb::cpp_function(&forget_other_threads));
  define_device_array(module);
  define_model(module);
  module.attr("MODEL_FORMAT") = gpuvae::kModelFormat;
  module.attr("__version__") = gpuvae::version();
  module.def(
      "read_description", &read_description, "path"_a,
      "Returns the metadata of a model file, and a dictionary of what they say about its training data.");
  module.def("describe_rows", &describe_rows, "rows"_a, "values"_a, "column_names"_a, "condition_columns"_a,
             "condition_classes"_a, "class_names"_a,
             "Returns the description of training rows for the metadata of a model file.");
  module.def(
      "set_log", &set_log, "callback"_a.none(), "lowest"_a = "info",
      nb::sig("def set_log(callback: collections.abc.Callable[[str, str, str], object] | None, lowest: str = "
              "\"info\") -> None"),
      "Makes callback(level, operation, text) receive what the library decides by itself, such as the "
      "executor "
      "of a training run, instead of the previous callback; None receives nothing.\n\n"
      "level is \"debug\", \"info\" or \"warning\", operation the part of the library, such as \"train\", "
      "and "
      "text one line. Messages below the level ``lowest`` are dropped. Messages of all threads wait in a "
      "queue "
      "until a call of the library ends or, in a long call, for a fraction of a second. They arrive one at a "
      "time, in a thread that called the library. The callback may call the library. Its exceptions are "
      "reported by sys.unraisablehook and change nothing. If more than 10,000 messages wait, the further "
      "ones "
      "are dropped, and a message says how many.\n\n"
      "Throws ValueError for another level, and TypeError for an object that cannot be called.");
  module.def("check_columns", &check_columns, "rows"_a, "column_types"_a,
             "Throws ValueError for rows with a value that the type of its column does not allow.");
  module.def("num_threads", &gpuvae::num_threads, "Returns the largest number of threads of one call.");
  module.def("set_num_threads", &gpuvae::set_num_threads, "threads"_a,
             "Sets the largest number of threads of one call.");
}

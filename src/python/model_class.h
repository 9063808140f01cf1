// The class Model of the extension module.
#pragma once

#include <nanobind/nanobind.h>

namespace gpuvae::python {

// Adds the class Model.
void define_model(nanobind::module_& module);

}  // namespace gpuvae::python

// The second of two runs whose bits must be equal executes warps and blocks in another order.
#include "tests/second_run.h"

#include <optional>

#include "control.h"

namespace {

emulator::Settings in_another_order(emulator::Settings s) {
  ptx::Options& o = s.kernels;
  if (o.order == ptx::Order::random)
    o.seed += 1000;
  else
    o.order = o.order == ptx::Order::ascending ? ptx::Order::descending : ptx::Order::ascending;
  return s;
}

[[maybe_unused]] const bool installed = [] {
  gpuvae::on_second_run() = [](bool begins) {
    static std::optional<emulator::Settings> before;
    if (begins) {
      before = emulator::settings();
      emulator::set_settings(in_another_order(*before));
    } else {
      emulator::set_settings(*before);
    }
  };
  return true;
}();

}  // namespace

#include "src/train/run_state.h"

#include <cstring>

namespace gpuvae {

Tensor new_run_state(Device device) { return Tensor::empty({sizeof(RunState)}, DType::u8, device); }

void write_run_state(const Tensor& state, const RunState& value) {
  state.device().backend().copy_to_device(state.data(), &value, sizeof value,
                                          Stream::current(state.device()).handle());
}

RunState read_run_state(const Tensor& state) {
  const Tensor host = state.to(Device::cpu());
  RunState value;
  std::memcpy(&value, host.data(), sizeof value);
  return value;
}

Tensor step_counter(const Tensor& state) {
  return state.slice(offsetof(RunState, step), sizeof(RunState::step));
}

Tensor update_counter(const Tensor& state) {
  return state.slice(offsetof(RunState, updates), sizeof(RunState::updates));
}

}  // namespace gpuvae

// Links the kernels without any other layer, which is possible only if no kernel uses a layer above. The
// program checks that a kernel computes a sum, and that an error names a dtype that is not supported.
#include <string>

#include "gpuvae/error.h"
#include "kernels/backend.h"

int main() {
  using namespace gpuvae;
  float values[3] = {1, 2, 4}, sum = 0;
  kernels::ReduceArgs args{.rows = 1, .columns = 3, .x = values, .out = &sum};
  kernels::cpu_backend().reduce(args, nullptr);
  if (sum != 7) return 1;
  args.dtype = DType::bf16;
  try {
    kernels::cpu_backend().reduce(args, nullptr);
  } catch (const Error& error) {
    return std::string(error.what()).find("got bf16") == std::string::npos;
  }
  return 2;
}

// nvrtc_test FOLDER NAME...: compiles a kernel with each exported header FOLDER/NAME.h by NVRTC, which has no
// standard headers. No GPU is needed.
#include <nvrtc.h>

#include <cstdio>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

namespace {

std::string text_of(const std::string& path) {
  std::ifstream in(path);
  return {std::istreambuf_iterator<char>(in), {}};
}

bool compiles(const std::string& folder, const std::string& name) {
  const std::string header = text_of(folder + "/" + name + ".h"), file = name + ".h";
  const std::string source =
      "#include \"" + file + "\"\n" +
      "extern \"C\" __global__ void both(const float* x, float* z, float* mean) {\n  " + name +
      "_encode(x, z, nullptr);\n  " + name + "_decode(z, mean);\n}\n";
  const char *text = header.c_str(), *include = file.c_str();
  nvrtcProgram program = nullptr;
  if (nvrtcCreateProgram(&program, source.c_str(), "kernel.cu", 1, &text, &include) != NVRTC_SUCCESS)
    return false;
  const char* options[] = {"--gpu-architecture=compute_75"};
  const nvrtcResult result = nvrtcCompileProgram(program, 1, options);
  std::size_t log_size = 0, ptx_size = 0;
  nvrtcGetProgramLogSize(program, &log_size);
  std::string log(log_size, '\0');
  nvrtcGetProgramLog(program, log.data());
  std::string ptx;
  if (result == NVRTC_SUCCESS && nvrtcGetPTXSize(program, &ptx_size) == NVRTC_SUCCESS) {
    ptx.resize(ptx_size);
    nvrtcGetPTX(program, ptx.data());
  }
  nvrtcDestroyProgram(&program);
  const bool passed = ptx.find(".entry both") != std::string::npos && log_size <= 1;
  std::printf("%s %s.h, %zu bytes of PTX\n", passed ? "passed" : "FAILED", name.c_str(), ptx.size());
  if (!passed) std::printf("%s: %s\n", nvrtcGetErrorString(result), log.c_str());
  return passed;
}

}  // namespace

int main(int argc, char** argv) {
  int failures = argc < 3;
  for (int i = 2; i < argc; ++i) failures += !compiles(argv[1], argv[i]);
  return failures > 0;
}

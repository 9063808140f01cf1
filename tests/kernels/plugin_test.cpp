// A program that is not linked with gpuvae loads a plugin that is (argument 1), uses it on several threads,
// closes it, and loads it again. It ends while the plugin is loaded and its pool has threads.
#include <dlfcn.h>

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <string>

namespace {

int pool_threads() {
  int count = 0;
  for (const auto& task : std::filesystem::directory_iterator("/proc/self/task")) {
    std::string name;
    std::ifstream(task.path() / "comm") >> name;
    count += name == "gpuvae";
  }
  return count;
}

bool expect(bool condition, const char* what) {
  if (!condition) std::printf("expected %s\n", what);
  return condition;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  double first = 0;
  for (int repeat = 0; repeat < 2; ++repeat) {
    void* plugin = dlopen(argv[1], RTLD_NOW | RTLD_LOCAL);
    if (!plugin) {
      std::printf("%s\n", dlerror());
      return 1;
    }
    const auto product = reinterpret_cast<double (*)(int)>(dlsym(plugin, "plugin_product"));
    if (!expect(product != nullptr, "the function plugin_product")) return 1;
    const double one = product(1), three = product(3);
    if (repeat == 0) first = one;
    // A standard deviation of the sum is 512^1.5 = 11585.
    if (!expect(one == three && one == first && one != 0 && one > -60000 && one < 60000,
                "the same sum on one and on three threads, in both copies of the plugin"))
      return 1;
    if (!expect(pool_threads() == 2, "two threads beside the caller's")) return 1;
    if (repeat == 0) dlclose(plugin);
  }
  return 0;
}

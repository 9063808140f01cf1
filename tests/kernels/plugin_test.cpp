// A program that is not linked with gpuvae loads two copies of a plugin that contains gpuvae (argument 1).
// Both train, independently of each other and with the same numbers, and dlclose() unloads them. The program
// ends while a plugin is loaded and its pool has threads.
#include <dlfcn.h>
#include <gpuvae/error.h>
#include <malloc.h>

#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <string>

namespace {

namespace fs = std::filesystem;

bool expect(bool condition, const char* what) {
  if (!condition) std::printf("expected %s\n", what);
  return condition;
}

int pool_threads() {
  int count = 0;
  for (const auto& task : fs::directory_iterator("/proc/self/task")) {
    std::string name;
    std::ifstream(task.path() / "comm") >> name;
    count += name == "gpuvae";
  }
  return count;
}

bool is_mapped(const fs::path& file) {
  std::ifstream maps("/proc/self/maps");
  for (std::string line; std::getline(maps, line);)
    if (line.ends_with(file.filename().string())) return true;
  return false;
}

// The bytes that malloc() has handed out and that are not freed. The resident memory would also count free
// memory.
std::size_t used_bytes() {
  const struct mallinfo2 info = mallinfo2();
  return info.uordblks + info.hblkhd;
}

// A loaded plugin and its functions.
struct Plugin {
  Plugin(const fs::path& file, int scope) : handle(dlopen(file.c_str(), RTLD_NOW | scope)) {
    if (!handle) std::printf("%s\n", dlerror());
    find(product, "plugin_product");
    find(train, "plugin_train");
    find(threads, "plugin_threads");
    find(fail, "plugin_fail");
    find(use_memory, "plugin_use_memory");
  }
  [[nodiscard]] bool complete() const { return product && train && threads && fail && use_memory; }

  template <class Function>
  void find(Function& function, const char* name) {
    function = handle ? reinterpret_cast<Function>(dlsym(handle, name)) : nullptr;
  }

  void* handle;
  double (*product)(int);
  double (*train)(int);
  int (*threads)();
  void (*fail)();
  void (*use_memory)(std::int64_t);
};

// A standard deviation of the sum is about 1.2e4.
bool computes(const Plugin& plugin, double& sum) {
  const double one = plugin.product(1), three = plugin.product(3);
  sum = one;
  return expect(one == three && one != 0 && one > -1e5 && one < 1e5,
                "the same sum on one and on three threads");
}

bool throws_error(const Plugin& plugin) {
  try {
    plugin.fail();
  } catch (const gpuvae::Error& error) {
    return expect(error.kind() == gpuvae::ErrorKind::invalid_argument &&
                      std::string(error.what()) == "[set_num_threads] expected at least 1 thread, got 0",
                  "the message of set_num_threads(0)");
  }
  return expect(false, "an error of set_num_threads(0)");
}

bool two_copies(const fs::path& file, const fs::path& copy) {
  const Plugin first(file, RTLD_GLOBAL), second(copy, RTLD_LOCAL);
  if (!expect(first.complete() && second.complete(), "two plugins")) return false;
  double sums[2];
  if (!computes(first, sums[0]) || !computes(second, sums[1])) return false;
  if (!expect(sums[0] == sums[1], "the same sum from both copies")) return false;
  if (!expect(pool_threads() == 4, "two threads per copy beside the caller's")) return false;
  second.product(1);
  if (!expect(first.threads() == 3 && second.threads() == 1, "a number of threads per copy")) return false;
  const double start = first.train(1), end = first.train(20);
  if (!expect(start > 0 && start < 100 && end < start - 0.1, "a loss that decreases")) return false;
  if (!expect(second.train(20) == end, "the same loss from both copies")) return false;
  if (!throws_error(first) || !throws_error(second)) return false;
  dlclose(first.handle);
  dlclose(second.handle);
  return expect(!is_mapped(file) && !is_mapped(copy), "that dlclose() unloads both copies") &&
         expect(pool_threads() == 0, "that no thread of an unloaded copy is left");
}

// Loading the plugin many times must not leak the memory of the pools.
bool many_times(const fs::path& file) {
  constexpr std::int64_t kBytes = std::int64_t{32} << 20;
  constexpr int kTimes = 8;
  std::size_t before = 0;
  for (int i = 0; i <= kTimes; ++i) {
    const Plugin plugin(file, RTLD_LOCAL);
    if (!expect(plugin.complete(), "a plugin")) return false;
    double sum = 0;
    if (!computes(plugin, sum)) return false;
    plugin.train(1);
    plugin.use_memory(kBytes);
    dlclose(plugin.handle);
    if (!expect(!is_mapped(file), "that dlclose() unloads the plugin")) return false;
    if (i == 0) before = used_bytes();
  }
  return expect(used_bytes() < before + (std::size_t{1} << 20),
                "that unloaded plugins leave no memory behind");
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  const fs::path file = fs::canonical(argv[1]);
  const fs::path copy = fs::temp_directory_path() / ("gpuvae-plugin-" + file.stem().string() + "-copy.so");
  fs::copy_file(file, copy, fs::copy_options::overwrite_existing);
  const bool passed = two_copies(file, copy) && many_times(file);
  fs::remove(copy);
  const Plugin last(file, RTLD_LOCAL);
  double sum = 0;
  return passed && expect(last.complete(), "a plugin") && computes(last, sum) ? 0 : 1;
}

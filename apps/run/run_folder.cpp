#include "apps/run/run_folder.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <fstream>
#include <system_error>
#include <vector>

#include "apps/cli/config_file.h"
#include "kernels/check.h"
#include "src/io/file.h"
#include "src/io/safetensors.h"

namespace gpuvae::apps {
namespace {

namespace fs = std::filesystem;

constexpr const char* kLockFile = "run.lock";

std::vector<std::string> names_in(const fs::path& folder) {
  std::vector<std::string> names;
  std::error_code error;
  for (fs::directory_iterator at(folder, error), end; !error && at != end; at.increment(error))
    names.push_back(at->path().filename().string());
  check(!error || error == std::errc::no_such_file_or_directory, file_error("read"), "{}: {}",
        folder.string(), error.message());
  return names;
}

// The files of a run in the folder, in the order of kNames.
std::vector<std::string> run_files(const fs::path& folder) {
  std::vector<std::string> names = names_in(folder);
  std::erase_if(names, [](const std::string& name) { return rank_of(name) < 0; });
  std::ranges::sort(names, {}, [](const std::string& name) { return std::pair(rank_of(name), name); });
  return names;
}

bool is_marked_config(const fs::path& path) {
  std::ifstream in(path);
  std::string line;
  return std::getline(in, line) && line.starts_with(kConfigMark);
}

bool is_own_tensor_file(const fs::path& path) try {
  const auto metadata = io::read_safetensors_metadata(path);
  const auto format = metadata.find("format");
  return format != metadata.end() && format->second.starts_with("gpuvae");
} catch (const Error&) {
  return false;
}

// Names the process that holds the lock, whose number is in the lock file.
std::string owner(const fs::path& lock) {
  std::ifstream in(lock);
  std::string id;
  return std::getline(in, id) && !id.empty() ? "process " + id : "another process";
}

bool same_file(int descriptor, const fs::path& path) {
  struct stat open {
  }, named{};
  return ::fstat(descriptor, &open) == 0 && ::stat(path.c_str(), &named) == 0 &&
         open.st_ino == named.st_ino && open.st_dev == named.st_dev;
}

// Whether an open lock file is empty or holds nothing but a process number, as FolderLock writes it.
bool holds_process_number(int descriptor) {
  char text[32];
  const ssize_t size = ::pread(descriptor, text, sizeof text, 0);
  return size == 0 || (size > 0 && size < ssize_t{sizeof text} && text[size - 1] == '\n' &&
                       std::all_of(text, text + size - 1, [](char c) { return c >= '0' && c <= '9'; }));
}

}  // namespace

FolderLock::FolderLock(const fs::path& folder) : folder_(folder), file_(folder / kLockFile) {
  std::error_code ignored;
  created_ = !fs::exists(folder, ignored);
  io::make_folder(folder);
  // Another process may remove the lock file when it releases the lock. If this process has then locked a
  // file that is gone, it tries again.
  do {
    if (descriptor_ >= 0) ::close(descriptor_);
    descriptor_ = ::open(file_.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0666);
    check(descriptor_ >= 0, file_error("write"), "{}: {}", file_.string(),
          std::generic_category().message(errno));
    if (::flock(descriptor_, LOCK_EX | LOCK_NB) == 0) continue;
    const int error_number = errno;
    ::close(descriptor_);
    check(error_number == EWOULDBLOCK, file_error("lock"), "{}: {}", file_.string(),
          std::generic_category().message(error_number));
    fail(file_error("lock"),
         "{} is in use by {} (its lock is {}): wait until it ends, or choose another --out", folder.string(),
         owner(file_), file_.string());
  } while (!same_file(descriptor_, file_));
  if (!holds_process_number(descriptor_)) {
    ::close(descriptor_);
    fail(file_error("lock"), "{}: expected the lock of a run, got a file of other content", file_.string());
  }
  const std::string id = fmt::format("{}\n", ::getpid());
  if (::ftruncate(descriptor_, 0) != 0 || ::pwrite(descriptor_, id.data(), id.size(), 0) < 0) {
    // This failure is ignored. The process number only serves the error message of another process, and a
    // full disk is reported when the run writes its files.
  }
}

FolderLock::~FolderLock() {
  ::unlink(file_.c_str());
  ::close(descriptor_);
  if (created_) ::rmdir(folder_.c_str());
}

bool holds_run(const fs::path& folder) {
  return is_marked_config(folder / kConfigFile) || is_own_tensor_file(folder / kModelFile) ||
         is_own_tensor_file(folder / kCheckpointFile) || is_own_tensor_file(folder / kEarlierCheckpointFile);
}

bool holds_sweep(const fs::path& folder) {
  const fs::path table = folder / kSweepTableFile;
  std::error_code ignored;
  return fs::is_regular_file(table, ignored) && io::read_part(table, 0, 100).bytes.starts_with(kSweepMark);
}

void check_no_sweep(const fs::path& folder, const std::string& operation) {
  check(!holds_sweep(folder), file_error(operation),
        "{} holds a sweep, expected the folder of a run or a new one", folder.string());
}

void check_no_foreign_files(const fs::path& folder, const std::string& operation) {
  check_no_sweep(folder, operation);
  const std::vector<std::string> names = run_files(folder);
  std::error_code ignored;
  const auto refuse = [&](const fs::path& file) {
    fail(file_error(operation),
         "{}: expected a file of a run, got another one, which a run would overwrite: choose another folder "
         "with --out",
         file.string());
  };
  if (const fs::path config = folder / kConfigFile; fs::exists(config, ignored) && !is_marked_config(config))
    refuse(config);
  if (names.empty()) return;
  if (!holds_run(folder)) refuse(folder / names.front());
  for (const std::string& name : names) check_own_file(folder / name, operation);
}

void remove_partial_files(const fs::path& folder) {
  std::error_code ignored;
  for (const std::string& name : names_in(folder)) {
    const std::string target = name.substr(0, name.rfind(".tmp-"));
    if (rank_of(target) >= 0 && io::is_temporary_of(name, target)) fs::remove(folder / name, ignored);
  }
}

void move_to_previous(const fs::path& folder) {
  const std::vector<std::string> names = run_files(folder);
  if (names.empty()) return;
  const fs::path previous = folder / kPreviousFolder;
  io::make_folder(previous);
  check(run_files(previous).empty() || holds_run(previous), file_error("write"),
        "{}: expected a folder for the run that this one replaces, got files of others", previous.string());
  for (const std::string& name : run_files(previous)) check_own_file(previous / name, "write");
  for (const std::string& name : run_files(previous)) fs::remove(previous / name);
  for (const std::string& name : names) fs::rename(folder / name, previous / name);
  io::sync_folder(previous);
  io::sync_folder(folder);
  std::fprintf(stderr, "note    the run that %s held is now in %s\n", folder.c_str(), previous.c_str());
}

}  // namespace gpuvae::apps

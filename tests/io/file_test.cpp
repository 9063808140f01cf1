#include "src/io/file.h"

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <csignal>
#include <functional>

#include "tests/temporary_folder.h"

namespace gpuvae::io {
namespace {

using test::error_of;
using test::TemporaryFolder;

// During its lifetime, files cannot grow past `bytes`: a write fails with EFBIG, as it would with ENOSPC on a
// full disk.
class FileSizeLimit {
 public:
  explicit FileSizeLimit(rlim_t bytes) : previous_handler_(std::signal(SIGXFSZ, SIG_IGN)) {
    ::getrlimit(RLIMIT_FSIZE, &previous_);
    const rlimit limit{bytes, previous_.rlim_max};
    ::setrlimit(RLIMIT_FSIZE, &limit);
  }
  ~FileSizeLimit() {
    ::setrlimit(RLIMIT_FSIZE, &previous_);
    std::signal(SIGXFSZ, previous_handler_);
  }

 private:
  void (*previous_handler_)(int);
  rlimit previous_{};
};

std::string error_when_full(const std::function<void()>& work) {
  const FileSizeLimit limit(1000);
  return error_of(work);
}

TEST(File, WritesAndReadsAnyBytes) {
  const TemporaryFolder folder;
  std::string bytes("\0\r\n\xff middle \0", 13);
  bytes.append(300'000, 'x');
  write_file(folder / "file", bytes);
  EXPECT_EQ(read_file(folder / "file"), bytes);
  write_file(folder / "file", "");
  EXPECT_EQ(read_file(folder / "file"), "");
  EXPECT_EQ(folder.names(), std::vector<std::string>{"file"});
}

TEST(File, AppearsOnlyWhenCommitted) {
  const TemporaryFolder folder;
  AtomicFile file(folder / "file");
  file.write("one ");
  file.write(std::as_bytes(std::span("two", 3)));
  EXPECT_FALSE(std::filesystem::exists(folder / "file"));
  file.commit();
  EXPECT_EQ(read_file(folder / "file"), "one two");
  EXPECT_EQ(folder.names().size(), 1u);
}

TEST(File, KeepsTheOldFileWithoutCommit) {
  const TemporaryFolder folder;
  write_file(folder / "file", "old");
  { AtomicFile(folder / "file").write("new"); }
  EXPECT_EQ(read_file(folder / "file"), "old");
  EXPECT_EQ(folder.names().size(), 1u);
}

TEST(File, SymbolicLinksStayAndTheirTargetIsWritten) {
  const TemporaryFolder folder;
  std::filesystem::create_directory(folder / "disk");
  write_file(folder / "disk/file", "old");
  const auto link = [&](const std::filesystem::path& to, const char* name) {
    std::filesystem::create_symlink(to, folder / name);
    return folder / name;
  };
  for (const auto& path : {link(folder / "disk/file", "absolute"), link("disk/file", "relative"),
                           link("relative", "second"), link("disk/new", "dangling")}) {
    write_file(path, path.string());
    EXPECT_TRUE(std::filesystem::is_symlink(path)) << path;
    EXPECT_EQ(read_file(path), path.string());
  }
  EXPECT_EQ(read_file(folder / "disk/file"), (folder / "second").string());
  EXPECT_EQ(read_file(folder / "disk/new"), (folder / "dangling").string());
  const auto circle = link("circle", "circle");
  EXPECT_NE(error_of([&] { write_file(circle, "x"); }).find("circle: Too many levels of symbolic links"),
            std::string::npos);
  EXPECT_EQ(folder.names().size(), 6u) << "no temporary file is left";
}

TEST(File, RecognisesItsTemporaryFiles) {
  EXPECT_TRUE(is_temporary_of("a.csv.tmp-17", "a.csv"));
  for (const char* other :
       {"a.csv", "a.csv.tmp-", "a.csv.tmp-x1", "b.csv.tmp-17", "a.csv.tmp-17.csv", "a.csv.old"})
    EXPECT_FALSE(is_temporary_of(other, "a.csv")) << other;
  const TemporaryFolder folder;
  const AtomicFile file(folder / "a.csv");
  ASSERT_EQ(folder.names().size(), 1u);
  EXPECT_TRUE(is_temporary_of(folder.names()[0], "a.csv")) << folder.names()[0];
}

TEST(File, ReadsParts) {
  const TemporaryFolder folder;
  write_file(folder / "f", "0123456789", Sync::no);
  EXPECT_EQ(read_part(folder / "f", 2, 3).bytes, "234");
  EXPECT_EQ(read_part(folder / "f", 8, 100).bytes, "89");
  EXPECT_EQ(read_part(folder / "f", 11, 1).bytes, "");
  EXPECT_EQ(read_part(folder / "f", 0, 0).file_size, 10u);
  const std::string path = folder.path().string();
  EXPECT_EQ(error_of([&] { read_part(path, 0, 1); }), "[read] " + path + ": Is a directory");
  EXPECT_EQ(error_of([&] { sync_folder(path + "/f"); }), "[write] " + path + "/f: Not a directory");
  sync_folder(folder.path());
}

TEST(File, RefusesBytesAfterCommit) {
  const TemporaryFolder folder;
  AtomicFile file(folder / "file");
  file.commit();
  EXPECT_NE(error_of([&] { file.write("late"); }).find("file: expected an open file"), std::string::npos);
  EXPECT_NE(error_of([&] { file.commit(); }).find("file: expected an open file"), std::string::npos);
  EXPECT_EQ(read_file(folder / "file"), "");
}

// Small writes fail when commit() flushes, large ones at once. Neither leaves a file behind.
TEST(File, LeavesNothingOnAFullDisk) {
  const TemporaryFolder folder;
  const std::string path = (folder / "file").string();
  for (const std::size_t bytes : {2'000, 2'000'000})
    EXPECT_EQ(error_when_full([&] { write_file(path, std::string(bytes, 'x')); }),
              "[write] " + path + ": File too large");
  EXPECT_TRUE(folder.names().empty());
  write_file(path, "old");
  error_when_full([&] { write_file(path, std::string(2'000'000, 'x')); });
  EXPECT_EQ(read_file(path), "old");
  EXPECT_EQ(folder.names().size(), 1u);
}

TEST(File, WritingNamesPathAndReason) {
  const TemporaryFolder folder;
  const std::string path = (folder / "missing" / "file").string();
  EXPECT_EQ(error_of([&] { write_file(path, "x"); }), "[write] " + path + ": No such file or directory");
  std::filesystem::create_directory(folder / "folder");
  EXPECT_EQ(error_of([&] { write_file(folder / "folder", "x"); }),
            "[write] " + (folder / "folder").string() + ": Is a directory");
  EXPECT_EQ(error_of([] { write_file("/dev/null", "x"); }), "[write] /dev/null: Not a regular file");
  EXPECT_EQ(error_of([] { write_file("", "x"); }), "[write] (empty path): No such file or directory");
}

TEST(File, ReadingNamesPathAndReason) {
  const TemporaryFolder folder;
  const std::string path = (folder / "file").string();
  EXPECT_EQ(error_of([&] { read_file(path); }), "[read] " + path + ": No such file or directory");
  EXPECT_EQ(error_of([&] { read_file(folder / ""); }),
            "[read] " + (folder / "").string() + ": Is a directory");
}

TEST(File, ReportsMissingPermissions) {
  if (::geteuid() == 0) GTEST_SKIP() << "root may read and write everything";
  const TemporaryFolder folder;
  const std::string path = (folder / "file").string();
  write_file(path, "secret");
  ::chmod(path.c_str(), 0);
  EXPECT_EQ(error_of([&] { read_file(path); }), "[read] " + path + ": Permission denied");
  const std::string closed = (folder / "closed").string();
  std::filesystem::create_directory(closed);
  ::chmod(closed.c_str(), 0500);
  EXPECT_EQ(error_of([&] { make_folder(closed); }), "[write] " + closed + ": Permission denied");
}

TEST(Folder, IsCreatedWithItsParentsAndLeftEmpty) {
  const TemporaryFolder folder;
  make_folder(folder / "a" / "b");
  make_folder(folder / "a" / "b");
  EXPECT_TRUE(std::filesystem::is_empty(folder / "a" / "b"));
}

TEST(Folder, NamesPathAndReason) {
  const TemporaryFolder folder;
  write_file(folder / "file", "x");
  for (const char* name : {"file", "file/below"}) {
    const std::string path = (folder / name).string();
    EXPECT_EQ(error_of([&] { make_folder(path); }), "[write] " + path + ": Not a directory");
  }
  EXPECT_NE(error_of([] { make_folder(""); }).find("[write] (empty path): "), std::string::npos);
}

#ifdef __linux__
// This folder exists, but not even root may create files in it.
TEST(Folder, IsCheckedByCreatingAFile) {
  EXPECT_NE(error_of([] { make_folder("/proc/self"); }).find("[write] /proc/self: "), std::string::npos);
}
#endif

}  // namespace
}  // namespace gpuvae::io

// Tests the files of a run folder: the lock, files that no run wrote, and the files of an older run.
#include "apps/run/run_folder.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>

#include "apps/cli/config_file.h"
#include "src/io/file.h"
#include "src/io/safetensors.h"
#include "tests/temporary_folder.h"

namespace gpuvae::apps {
namespace {

using test::error_of;
using test::TemporaryFolder;

void write(const std::filesystem::path& path, const std::string& text = "x") { io::write_file(path, text); }

void write_model(const std::filesystem::path& path, const std::string& format) {
  io::TensorFile file;
  file.metadata["format"] = format;
  io::write_safetensors(path, file);
}

std::vector<std::string> sorted_names(const TemporaryFolder& folder) {
  std::vector<std::string> names = folder.names();
  std::ranges::sort(names);
  return names;
}

TEST(FolderLock, IsExclusiveAndLeavesNothing) {
  const TemporaryFolder folder;
  const auto path = folder / "r";
  {
    const FolderLock lock(path);
    const std::string message = error_of([&] { const FolderLock second(path); });
    EXPECT_EQ(message, "[lock] " + path.string() + " is in use by process " + std::to_string(::getpid()) +
                           " (its lock is " + (path / "run.lock").string() +
                           "): wait until it ends, or choose another --out");
    EXPECT_TRUE(std::filesystem::exists(path / "run.lock"));
  }
  EXPECT_FALSE(std::filesystem::exists(path));  // it was created for the lock
  std::filesystem::create_directory(path);
  { const FolderLock lock(path); }
  EXPECT_TRUE(std::filesystem::is_empty(path));
}

// The lock file that a killed process leaves behind does not lock the folder.
TEST(FolderLock, EndsWithItsProcess) {
  const TemporaryFolder folder;
  int ready[2];
  ASSERT_EQ(::pipe(ready), 0);
  const pid_t child = ::fork();
  if (child == 0) {
    const FolderLock lock(folder.path());
    if (::write(ready[1], "x", 1) == 1) ::pause();
    ::_exit(0);
  }
  char byte = 0;
  ASSERT_EQ(::read(ready[0], &byte, 1), 1);
  EXPECT_NE(error_of([&] { const FolderLock lock(folder.path()); }).find("process " + std::to_string(child)),
            std::string::npos);
  ::kill(child, SIGKILL);
  ::waitpid(child, nullptr, 0);
  EXPECT_EQ(folder.names(), std::vector<std::string>{"run.lock"});
  { const FolderLock lock(folder.path()); }
  EXPECT_TRUE(folder.names().empty());
  // A file of the user's with this name is neither changed nor removed, and a link is not followed.
  io::write_file(folder / "run.lock", "mine");
  EXPECT_NE(error_of([&] { const FolderLock lock(folder.path()); }).find("expected the lock of a run"),
            std::string::npos);
  EXPECT_EQ(io::read_file(folder / "run.lock"), "mine");
  std::filesystem::rename(folder / "run.lock", folder / "other");
  std::filesystem::create_symlink(folder / "other", folder / "run.lock");
  EXPECT_THROW({ const FolderLock lock(folder.path()); }, Error);
  EXPECT_EQ(io::read_file(folder / "other"), "mine");
}

TEST(RunFolder, FilesOfOthersAreRefused) {
  for (const char* name :
       {"config.toml", "model.safetensors", "checkpoint.safetensors", "metrics.csv", "steps.csv",
        "report.html", "samples.png", "manifold-data.svg", "eval.json", "kl.svg", "encoder.onnx"}) {
    const TemporaryFolder folder;
    write(folder / "notes.txt");
    check_no_foreign_files(folder.path(), "train");
    write(folder / name);
    EXPECT_FALSE(holds_run(folder.path()));
    EXPECT_EQ(
        error_of([&] { check_no_foreign_files(folder.path(), "train"); }),
        "[train] " + (folder / name).string() +
            ": expected a file of a run, got another one, which a run would overwrite: choose another folder "
            "with --out");
  }
  const TemporaryFolder folder;
  write_model(folder / "model.safetensors", "pt");
  EXPECT_FALSE(holds_run(folder.path()));
  write_model(folder / "model.safetensors", "gpuvae");
  EXPECT_TRUE(holds_run(folder.path()));
  check_no_foreign_files(folder.path(), "train");
  write(folder / "config.toml", "epochs = 3\n");  // without the mark
  EXPECT_NE(error_of([&] { check_no_foreign_files(folder.path(), "train"); }).find("config.toml: expected"),
            std::string::npos);
  write(folder / "config.toml", std::string(kConfigMark) + "program\n");
  check_no_foreign_files(folder.path(), "train");
}

// Writes a config.toml as the programs write it since they mark their pictures.
void write_config(const TemporaryFolder& folder) {
  write(folder / "config.toml",
        std::string(kConfigMark) + "program\n" + fingerprint_line("0123456789abcdef"));
}

TEST(RunFolder, FilesOfOthersBesideARunAreRefused) {
  const std::pair<const char*, std::string> own[] = {
      {"samples.png", std::string("\x89PNG...tEXtSoftware\0gpuvae", 27)},
      {"manifold-data.svg",
       "<svg xmlns=\"http://www.w3.org/2000/svg\" data-generator=\"gpuvae\" width=\"1\">"},
      {"report.html", "<!doctype html>\n<meta name=\"generator\" content=\"gpuvae\">"},
      {"eval.json", "{\n  \"program\": \"vae\",\n"},
      {"metrics.csv", "# losses\nepoch,train_loss,train_reconstruction\n"},
      {"steps.csv", "epoch,images,loss\n"},
      {"encoder.onnx", "\x08\x08\x12\x06gpuvae"},
      {"latent.csv", "label,z1,z2,row\n"}};
  for (const auto& [name, content] : own) {
    const TemporaryFolder folder;
    write_config(folder);
    write(folder / name, content);
    check_no_foreign_files(folder.path(), "train");
    write(folder / name, "");
    check_no_foreign_files(folder.path(), "train");  // a disk was full
    write(folder / name, "mine");
    const std::string expected = (folder / name).string() + ": expected a file of a run, got another one";
    EXPECT_NE(error_of([&] { check_no_foreign_files(folder.path(), "train"); }).find(expected),
              std::string::npos);
    EXPECT_NE(error_of([&] { check_own_file(folder / name, "eval"); }).find(expected), std::string::npos);
    write(folder / "config.toml", std::string(kConfigMark) + "program\n");  // of an older version
    check_no_foreign_files(folder.path(), "train");
  }
}

TEST(RunFolder, AFileOfOthersInPreviousIsNotRemoved) {
  const TemporaryFolder folder;
  write_config(folder);
  std::filesystem::create_directory(folder / "previous");
  std::filesystem::copy_file(folder / "config.toml", folder / "previous/config.toml");
  write(folder / "previous/samples.png", "mine");
  EXPECT_NE(
      error_of([&] { move_to_previous(folder.path()); }).find("previous/samples.png: expected a file of"),
      std::string::npos);
  EXPECT_EQ(io::read_file(folder / "previous/samples.png"), "mine");
  EXPECT_TRUE(std::filesystem::exists(folder / "config.toml"));
}

TEST(RunFolder, ConfigNamesTheTrainingSet) {
  const TemporaryFolder folder;
  EXPECT_EQ(fingerprint_in(folder / "config.toml"), "");
  write_config(folder);
  EXPECT_EQ(fingerprint_in(folder / "config.toml"), "0123456789abcdef");
}

TEST(RunFolder, AnOlderRunMovesAndFilesOfOthersStay) {
  const TemporaryFolder folder;
  move_to_previous(folder.path());
  EXPECT_TRUE(folder.names().empty());
  for (int run = 0; run < 2; ++run) {
    write(folder / "config.toml", std::string(kConfigMark) + std::to_string(run));
    for (const char* name : {"metrics.csv", "report.html", "notes.txt", "my-samples.png"})
      write(folder / name);
    if (run == 0) write(folder / "manifold-linear.png");
    testing::internal::CaptureStderr();
    move_to_previous(folder.path());
    EXPECT_NE(testing::internal::GetCapturedStderr().find("is now in"), std::string::npos);
  }
  EXPECT_EQ(sorted_names(folder), (std::vector<std::string>{"my-samples.png", "notes.txt", "previous"}));
  EXPECT_EQ(io::read_file(folder / "previous/config.toml"), std::string(kConfigMark) + "1");
  EXPECT_FALSE(std::filesystem::exists(folder / "previous/manifold-linear.png"));
  EXPECT_TRUE(std::filesystem::exists(folder / "previous/report.html"));
}

TEST(RunFolder, APreviousFolderOfOthersIsRefused) {
  const TemporaryFolder folder;
  write(folder / "config.toml", std::string(kConfigMark));
  std::filesystem::create_directory(folder / "previous");
  write(folder / "previous/report.html");
  EXPECT_NE(error_of([&] { move_to_previous(folder.path()); }).find("got files of others"),
            std::string::npos);
  EXPECT_TRUE(std::filesystem::exists(folder / "config.toml"));
}

TEST(RunFolder, PartialFilesOfAKilledProcessGo) {
  const TemporaryFolder folder;
  for (const char* name :
       {"metrics.csv.tmp-123", "model.safetensors.tmp-9", "checkpoint-previous.safetensors.tmp-0"})
    write(folder / name);
  for (const char* name : {"metrics.csv", "notes.tmp-123", "metrics.csv.tmp-mine"}) write(folder / name);
  remove_partial_files(folder.path());
  EXPECT_EQ(sorted_names(folder),
            (std::vector<std::string>{"metrics.csv", "metrics.csv.tmp-mine", "notes.tmp-123"}));
}

}  // namespace
}  // namespace gpuvae::apps

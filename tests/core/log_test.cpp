// Tests the log callback, and that the library prints nothing by itself.
#include "gpuvae/log.h"

#include <gtest/gtest.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <limits>
#include <mutex>
#include <optional>
#include <regex>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "gpuvae/memory.h"
#include "gpuvae/train.h"
#include "kernels/log.h"
#include "tests/devices.h"

namespace gpuvae {
namespace {

using test::devices;

// Collects the messages of the process while it exists, as "warning [train] text".
class LogLines {
 public:
  explicit LogLines(LogLevel lowest = LogLevel::debug) {
    set_log_callback(
        [this](const LogMessage& m) {
          const std::lock_guard lock(guard_);
          lines_.push_back(std::string(name(m.level)) + " [" + std::string(m.operation) + "] " +
                           std::string(m.text));
        },
        lowest);
  }
  ~LogLines() { set_log_callback({}); }
  LogLines(const LogLines&) = delete;
  LogLines& operator=(const LogLines&) = delete;

  std::vector<std::string> lines() {
    const std::lock_guard lock(guard_);
    return lines_;
  }
  // Returns the first line that begins with `start`, or "".
  std::string line(const std::string& start) {
    for (const std::string& line : lines())
      if (line.starts_with(start)) return line;
    return "";
  }

 private:
  std::mutex guard_;
  std::vector<std::string> lines_;
};

TEST(Log, SendsMessagesFromALevelUpwards) {
  {
    LogLines log(LogLevel::info);
    EXPECT_FALSE(is_logged(LogLevel::debug));
    EXPECT_TRUE(is_logged(LogLevel::info));
    log_message(LogLevel::debug, "test", "a detail");
    log_message(LogLevel::info, "test", "{} of {}", 1, 2);
    log_message(LogLevel::warning, "test", "careful");
    EXPECT_EQ(log.lines(), (std::vector<std::string>{"info [test] 1 of 2", "warning [test] careful"}));
  }
  EXPECT_FALSE(is_logged(LogLevel::warning)) << "nobody listens any more";
  log_message(LogLevel::warning, "test", "unheard");
}

TEST(Log, ExceptionsOfTheCallbackAreDropped) {
  int calls = 0;
  set_log_callback([&](const LogMessage&) {
    ++calls;
    throw std::runtime_error("full disk");
  });
  EXPECT_NO_THROW(log_message(LogLevel::info, "test", "once"));
  set_log_callback({});
  EXPECT_EQ(calls, 1);
}

TEST(Log, ACallbackMayUseTheLibraryAndReplaceItself) {
  std::vector<double> sums;
  set_log_callback([&](const LogMessage&) {
    sums.push_back(sum(Tensor::full({3}, 2)).value().item());
    set_log_callback({});
  });
  log_message(LogLevel::info, "test", "first");
  log_message(LogLevel::info, "test", "second");
  EXPECT_EQ(sums, std::vector<double>{6});
}

TEST(Log, ManyThreadsMaySendAndReplace) {
  std::atomic<int> calls = 0;
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t)
    threads.emplace_back([&, t] {
      for (int i = 0; i < 200; ++i) {
        if (t == 0) set_log_callback([&](const LogMessage& m) { calls += static_cast<int>(m.text.size()); });
        log_message(LogLevel::warning, "test", "x");
      }
    });
  for (std::thread& thread : threads) thread.join();
  set_log_callback({});
  EXPECT_GE(calls, 200);
  EXPECT_LE(calls, 800);
}

struct LoggedRun {
  LoggedRun(Device device, OnNan on_nan, double bad)
      : model(options(), device), optimizer(model.parameters(), {.learning_rate = 1e-3}) {
    const Dataset data{1, 4, Tensor::full({6, 4}, bad, DType::f32, device)};
    trainer.emplace(model, optimizer, data, Dataset{}, TrainOptions{.batch_size = 2, .on_nan = on_nan});
  }
  static VaeOptions options() {
    VaeOptions options;
    options.features = 4;
    options.encoder_widths = {3};
    return options;
  }
  Vae model;
  Adam optimizer;
  std::optional<Trainer> trainer;
};

TEST(LogOnDevice, SaysWhichExecutorRunsAndWhatIsSkipped) {
  for (const Device device : devices()) {
    LogLines log;
    LoggedRun run(device, OnNan::skip, std::numeric_limits<double>::infinity());
    EXPECT_EQ(log.line("info [train]"),
              "info [train] 3 steps per epoch on " + device.text() + ", executor " + run.trainer->executor());
    EXPECT_THROW(run.trainer->run_epoch(), Error);  // all steps are skipped
    EXPECT_EQ(log.line("warning"),
              "warning [train] 3 steps of epoch 1 skipped so far, because they are not finite");
  }
}

TEST(LogOnDevice, SaysThatARunWentBack) {
  for (const Device device : devices()) {
    LogLines log(LogLevel::warning);
    LoggedRun run(device, OnNan::rewind, std::numeric_limits<double>::infinity());
    EXPECT_THROW(run.trainer->run_epoch(), Error);
    const std::vector<std::string> lines = log.lines();
    ASSERT_EQ(lines.size(), 3u);
    EXPECT_EQ(lines[0].substr(0, 60), "warning [train] rewind 1 of 3 to epoch 0, learning rate 0.00");
    EXPECT_NE(lines[0].find("the loss is not finite at step"), std::string::npos) << lines[0];
  }
}

TEST(LogOnDevice, AllocationsFromTheSystemAreDetails) {
  for (const Device device : devices()) {
    release_unused_memory(device);
    LogLines log;
    static_cast<void>(Tensor::empty({1 << 20}, DType::f32, device));
    static_cast<void>(Tensor::empty({1 << 20}, DType::f32, device));
    int lines = 0;
    for (const std::string& line : log.lines())
      lines += line.starts_with("debug [allocate] 4194304 bytes of " + device.text() + " from the system");
    EXPECT_EQ(lines, 1) << "the second tensor reuses the block of the first";
  }
}

// ---- the library prints nothing ----

TEST(LogOnDevice, NothingIsPrinted) {
  for (const Device device : devices()) {
    testing::internal::CaptureStdout();
    testing::internal::CaptureStderr();
    LoggedRun run(device, OnNan::skip, 0.5);
    run.trainer->run_epochs(2);
    LoggedRun bad(device, OnNan::rewind, std::numeric_limits<double>::infinity());
    EXPECT_THROW(bad.trainer->run_epoch(), Error);
    EXPECT_EQ(testing::internal::GetCapturedStdout(), "");
    EXPECT_EQ(testing::internal::GetCapturedStderr(), "");
  }
}

TEST(LogSources, NoFileOfTheLibraryPrints) {
  namespace fs = std::filesystem;
  // Host code only: printf in a kernel would be found, too.
  const std::regex prints(
      R"(\b(stdout|stderr|std::cout|std::cerr|std::clog|perror|puts|printf|fmt::print)\b)");
  const std::string line_comments = "//";
  int files = 0;
  for (const char* folder : {"src", "kernels", "include"}) {
    const fs::path root = fs::path(GPUVAE_SOURCE_DIR) / folder;
    for (const auto& entry : fs::recursive_directory_iterator(root)) {
      const fs::path& path = entry.path();
      const std::string extension = path.extension().string();
      if (extension != ".h" && extension != ".cpp" && extension != ".cu" && extension != ".cuh") continue;
      ++files;
      std::ifstream file(path);
      for (std::string line; std::getline(file, line);) {
        line = line.substr(0, line.find(line_comments));
        EXPECT_FALSE(std::regex_search(line, prints)) << path << ": " << line;
      }
    }
  }
  EXPECT_GT(files, 150);
}

}  // namespace
}  // namespace gpuvae

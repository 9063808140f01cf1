#include "apps/run/progress.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <memory>

namespace gpuvae::apps {
namespace {

using namespace std::chrono_literals;

Progress::Clock::time_point g_now;
Progress::Clock::time_point test_clock() { return g_now; }

// Sets an environment variable (null removes it) until the end of the scope.
class Environment {
 public:
  Environment(const char* name, const char* value) : name_(name) {
    if (const char* old = ::getenv(name)) old_ = old;
    value ? ::setenv(name, value, 1) : ::unsetenv(name);
  }
  ~Environment() { old_ ? ::setenv(name_, old_->c_str(), 1) : ::unsetenv(name_); }

 private:
  const char* name_;
  std::optional<std::string> old_;
};

struct Close {
  void operator()(std::FILE* file) const { std::fclose(file); }
};

// A file that is not a terminal.
class Log {
 public:
  std::FILE* file() { return file_.get(); }
  std::string text() {
    std::string text;
    std::rewind(file_.get());
    for (int c; (c = std::fgetc(file_.get())) != EOF;) text += static_cast<char>(c);
    return text;
  }

 private:
  std::unique_ptr<std::FILE, Close> file_{std::tmpfile()};
};

// A terminal with `columns` columns, implemented by a pseudo-terminal.
class Terminal {
 public:
  explicit Terminal(unsigned short columns) : main_(::posix_openpt(O_RDWR | O_NOCTTY)) {
    if (main_ < 0 || ::grantpt(main_) != 0 || ::unlockpt(main_) != 0) return;
    const int side = ::open(::ptsname(main_), O_RDWR | O_NOCTTY);
    if (side < 0) return;
    file_.reset(::fdopen(side, "w"));
    const winsize size{24, columns, 0, 0};
    ::ioctl(main_, TIOCSWINSZ, &size);
    ::fcntl(main_, F_SETFL, O_NONBLOCK);
  }
  ~Terminal() {
    if (main_ >= 0) ::close(main_);
  }
  bool usable() const { return file_ != nullptr; }
  std::FILE* file() { return file_.get(); }
  std::string text() {
    std::string text;
    char buffer[4096];
    for (ssize_t got; (got = ::read(main_, buffer, sizeof(buffer))) > 0;)
      text.append(buffer, static_cast<std::size_t>(got));
    return text;
  }

 private:
  int main_;
  std::unique_ptr<std::FILE, Close> file_;
};

class OnTerminal : public testing::Test {
 protected:
  void SetUp() override {
    if (!Terminal(80).usable()) GTEST_SKIP() << "this system has no pseudo-terminals";
    g_now = Progress::Clock::time_point(1h);
  }
  // Returns what Progress writes to a terminal of this width in one update at 64 %, 0.5 s into the second of
  // three epochs.
  static std::string shown(unsigned short columns) {
    Terminal terminal(columns);
    Progress progress(3, 1000, "nats/image", terminal.file(), test_clock);
    progress.update(2, 0, 180);
    g_now += 500ms;
    terminal.text();
    progress.update(2, 640, 170.416);
    return terminal.text();
  }

  const Environment term_{"TERM", "xterm"}, no_color_{"NO_COLOR", "1"}, locale_{"LC_ALL", "C"};
};

const EpochLine kLine{2, 170.4871, 168.1849, 163.9, 4.28, 0.62};
const char* const kLineText =
    "epoch 2/3  train 170.49  val 168.18  nats/image (reconstruction 163.9 + KL 4.3)  0.62 s  97k images/s";

TEST(ProgressText, Rates) {
  EXPECT_EQ(rate_text(0), "0.0");
  EXPECT_EQ(rate_text(9.94), "9.9");
  EXPECT_EQ(rate_text(9.96), "10");
  EXPECT_EQ(rate_text(999.4), "999");
  EXPECT_EQ(rate_text(999.6), "1.0k");
  EXPECT_EQ(rate_text(96774), "97k");
  EXPECT_EQ(rate_text(999'600), "1.0M");
  EXPECT_EQ(rate_text(1.21e6), "1.2M");
  EXPECT_EQ(rate_text(5e12), "5000G");
}

TEST(ProgressText, TimesLeft) {
  EXPECT_EQ(time_left_text(-1), "0.0 s");
  EXPECT_EQ(time_left_text(0.44), "0.4 s");
  EXPECT_EQ(time_left_text(0.97), "1 s");
  EXPECT_EQ(time_left_text(4.2), "4 s");
  EXPECT_EQ(time_left_text(59.7), "1 min 0 s");
  EXPECT_EQ(time_left_text(130), "2 min 10 s");
  EXPECT_EQ(time_left_text(3 * 3600 + 5 * 60 + 9), "3 h 5 min");
  EXPECT_EQ(time_left_text(std::nan("")), "?");
}

TEST(ProgressText, Elapsed) {
  EXPECT_EQ(elapsed_text(0.6249), "0.62 s");
  EXPECT_EQ(elapsed_text(9.996), "10.0 s");
  EXPECT_EQ(elapsed_text(59.96), "1 min 0 s");
  EXPECT_EQ(elapsed_text(200), "3 min 20 s");
}

TEST(ProgressText, Bars) {
  EXPECT_EQ(bar_text(0, 4, true), "    ");
  EXPECT_EQ(bar_text(0.5, 4, true), "██  ");
  EXPECT_EQ(bar_text(0.65, 10, true), "██████▌   ");
  EXPECT_EQ(bar_text(0.65, 10, false), "######    ");
  EXPECT_EQ(bar_text(1, 4, false), "####");
  EXPECT_EQ(bar_text(1.5, 4, true), "████");
  EXPECT_EQ(bar_text(-1, 4, false), "    ");
  EXPECT_EQ(bar_text(std::nan(""), 4, false), "    ");
}

TEST(ProgressText, Epochs) {
  EXPECT_EQ(epoch_text(kLine, 3, 60000, "nats/image"), kLineText);
  EXPECT_EQ(epoch_text({1, std::nan(""), {}, 1.25e9, 0, 0}, 1, 1, "nats/image"),
            "epoch 1/1  train nan  nats/image (reconstruction 1.25e+09 + KL 0.0)  0.00 s");
}

TEST(ProgressText, SmallLossesHaveFourDecimals) {
  EXPECT_EQ(
      epoch_text({1, 0.51234, 0.99996, 0.5001, 0.00004, 1}, 1, 1, "nats (pixel mean)"),
      "epoch 1/1  train 0.5123  val 1.0000  nats (pixel mean) (reconstruction 0.5001 + KL 0.0000)  1.00 s  "
      "1.0 images/s");
  EXPECT_EQ(epoch_text({1, -0.51234, {}, 1, -1.25, 0}, 1, 1, "u"),
            "epoch 1/1  train -0.5123  u (reconstruction 1.0 + KL -1.2)  0.00 s");
  EXPECT_EQ(epoch_text({1, 20, {}, 10, 2, 0, 5}, 1, 1, "u"),
            "epoch 1/1  train 20.00  u (reconstruction 10.0 + 5 x KL 2.0)  0.00 s");
}

TEST(ProgressText, Locales) {
  EXPECT_TRUE(is_utf8_locale(nullptr, nullptr, "en_US.UTF-8"));
  EXPECT_TRUE(is_utf8_locale("", "C.utf8", "C"));
  EXPECT_FALSE(is_utf8_locale("C", "C.utf8", "C.utf8"));
  EXPECT_FALSE(is_utf8_locale(nullptr, nullptr, nullptr));
}

TEST(InALog, OnlyFinishedEpochsAreWritten) {
  Log log;
  {
    Progress progress(3, 60000, "nats/image", log.file(), test_clock);
    for (int images = 0; images <= 60000; images += 100, g_now += 1ms) progress.update(2, images, 170);
    progress.finish_epoch(kLine);
  }
  EXPECT_EQ(log.text(), std::string(kLineText) + "\n");
}

TEST(InALog, LongEpochsReportEveryTenSeconds) {
  Log log;
  {
    Progress progress(2, 1000, "nats/image", log.file(), test_clock);
    for (int images = 0; images <= 250; ++images, g_now += 100ms) progress.update(1, images, 99.5);
  }
  EXPECT_EQ(log.text(),
            "epoch 1/2   10%  loss 99.50 nats/image  10 images/s  3 min 10 s left\n"
            "epoch 1/2   20%  loss 99.50 nats/image  10 images/s  3 min 0 s left\n");
}

// The rate of a run that resumes at its second epoch must not count the images of the first epoch.
TEST(InALog, ResumedRunsCountFromTheirFirstUpdate) {
  Log log;
  {
    Progress progress(2, 1000, "nats/image", log.file(), test_clock);
    progress.update(2, 0, 1);
    g_now += 10s;
    progress.update(2, 500, 1);
  }
  EXPECT_EQ(log.text(), "epoch 2/2   50%  loss 1.00 nats/image  50 images/s  10 s left\n");
}

TEST(InALog, DumbTerminalsAreTreatedAsLogs) {
  const Environment term("TERM", "dumb");
  Terminal terminal(80);
  if (!terminal.usable()) GTEST_SKIP() << "this system has no pseudo-terminals";
  Progress progress(3, 60000, "nats/image", terminal.file(), test_clock);
  progress.update(2, 100, 170);
  progress.finish_epoch(kLine);
  EXPECT_EQ(terminal.text(), std::string(kLineText) + "\r\n");
}

TEST_F(OnTerminal, RedrawsOneLineAndReplacesItAtTheEndOfAnEpoch) {
  EXPECT_EQ(
      shown(100),
      "\repoch 2/3 [###################           ]  64%  loss 170.42 nats/image  1.3k images/s  1 s left"
      "\x1b[K");
  Terminal terminal(100);
  Progress progress(3, 60000, "nats/image", terminal.file(), test_clock);
  progress.update(2, 0, 170);
  terminal.text();
  progress.finish_epoch(kLine);
  EXPECT_EQ(terminal.text(), std::string("\r\x1b[K") + kLineText + "\r\n");
}

TEST_F(OnTerminal, TheLineNeverWraps) {
  for (const unsigned short columns : {1, 20, 60, 70, 75, 80, 81, 100, 200}) {
    const std::string text = shown(columns);
    EXPECT_LT(text.size() - std::string("\r\x1b[K").size(), columns) << text;
  }
  EXPECT_NE(shown(90).find("#"), std::string::npos);
  EXPECT_NE(shown(70).find("epoch 2/3   64%  loss 170.42"), std::string::npos) << shown(70);
}

TEST_F(OnTerminal, UsesBlocksAndColourIfSupported) {
  EXPECT_EQ(shown(100).find("\x1b[36m"), std::string::npos);
  const Environment utf8("LC_ALL", "C.UTF-8"), colour("NO_COLOR", nullptr);
  EXPECT_NE(shown(100).find("[\x1b[36m███████████████████▏          \x1b[0m]"), std::string::npos)
      << shown(100);
}

TEST_F(OnTerminal, RedrawsAtMostTenTimesASecond) {
  Terminal terminal(100);
  Progress progress(1, 1'000'000, "nats/image", terminal.file(), test_clock);
  for (int i = 0; i < 1000; ++i, g_now += 1ms) progress.update(1, i, 170);
  const std::string text = terminal.text();
  EXPECT_EQ(std::ranges::count(text, '\r'), 10);
}

TEST_F(OnTerminal, AnUnfinishedLineIsTerminated) {
  Terminal terminal(100);
  {
    Progress progress(1, 100, "nats/image", terminal.file(), test_clock);
    progress.update(1, 0, 170);
    terminal.text();
  }
  EXPECT_EQ(terminal.text(), "\r\n");
}

}  // namespace
}  // namespace gpuvae::apps

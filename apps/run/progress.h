// The progress of a training run on the terminal or in a log.
#pragma once

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <optional>
#include <string>
#include <string_view>

#include "apps/run/status_line.h"

namespace gpuvae::apps {

// The result of an epoch. Losses are in the unit that was passed to Progress.
struct EpochLine {
  int epoch = 0;  // the first is 1
  double train = 0;
  std::optional<double> val;          // where there is validation data
  double reconstruction = 0, kl = 0;  // of `val`, or of `train` without it
  double seconds = 0;                 // of training, without validation
  double beta = 1;                    // weight of `kl` in the losses
  bool best = false;                  // whether `val` is the best so far, if that is known
  bool is_sum = true;                 // whether the losses are reconstruction + beta * kl
};

// On a terminal, one line is redrawn at most ten times per second, and finish_epoch() replaces it with a
// permanent line. In a log, only the permanent lines are written, and a line every ten seconds within an
// epoch.
class Progress {
 public:
  using Clock = std::chrono::steady_clock;

  // `unit` names the losses ("nats/image"). `out` must outlive this object; `now` is for tests.
  Progress(int epochs, std::int64_t images_per_epoch, std::string unit, std::FILE* out = stderr,
           Clock::time_point (*now)() = &Clock::now);
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  // Call this function after every step; most calls only read a clock. `epoch` counts from 1, `images_done`
  // from the start of the epoch.
  void update(int epoch, std::int64_t images_done, double running_loss);
  void finish_epoch(const EpochLine& line);

 private:
  void begin_epoch(int epoch, std::int64_t images_done, Clock::time_point now);
  void draw(std::int64_t images_done, double running_loss, Clock::time_point now);

  const int epochs_;
  const std::int64_t images_per_epoch_;
  const std::string unit_;
  Clock::time_point (*const now_)();
  StatusLine line_;
  int epoch_ = 0;
  // Rate and time left count from the first update of the epoch and of the run, which excludes set-up.
  Clock::time_point epoch_began_{}, run_began_{}, next_draw_{};
  std::int64_t epoch_offset_ = 0, run_offset_ = 0;
};

// What the unit of the losses counts: "rows" for nats per row or a mean over columns, else "images".
std::string_view examples_of(std::string_view unit);
// The formats of the texts that Progress prints. Losses below 1, such as means over the pixels, get four
// decimals.
std::string loss_text(double loss, int decimals);
std::string rate_text(double per_second);    // "97", "9.7k", "97k", "1.2M"
std::string time_left_text(double seconds);  // "0.4 s", "4 s", "2 min 10 s", "3 h 5 min"
std::string elapsed_text(double seconds);    // "0.62 s", "12.3 s", then as above
std::string epoch_text(const EpochLine& line, int epochs, std::int64_t images, std::string_view unit);

}  // namespace gpuvae::apps

#include "apps/run/progress.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <utility>

namespace gpuvae::apps {

using std::chrono::duration;

Progress::Progress(int epochs, std::int64_t images_per_epoch, std::string unit, std::FILE* out,
                   Clock::time_point (*now)())
    : epochs_(epochs),
      images_per_epoch_(std::max<std::int64_t>(images_per_epoch, 1)),
      unit_(std::move(unit)),
      now_(now),
      line_(out) {}

void Progress::update(int epoch, std::int64_t images_done, double running_loss) {
  const Clock::time_point now = now_();
  if (epoch != epoch_) begin_epoch(epoch, images_done, now);
  if (now < next_draw_) return;
  draw(images_done, running_loss, now);
  next_draw_ = now + line_.interval();
}

void Progress::begin_epoch(int epoch, std::int64_t images_done, Clock::time_point now) {
  if (epoch_ == 0) {
    run_began_ = now;
    run_offset_ = (epoch - 1) * images_per_epoch_ + images_done;
  }
  epoch_ = epoch;
  epoch_began_ = now;
  epoch_offset_ = images_done;
  if (!line_.is_terminal()) next_draw_ = now + line_.interval();
}

void Progress::draw(std::int64_t images_done, double running_loss, Clock::time_point now) {
  const double fraction = static_cast<double>(images_done) / static_cast<double>(images_per_epoch_);
  const std::string head = fmt::format("epoch {}/{}", epoch_, epochs_);
  std::string tail = fmt::format("{:3.0f}%  loss {} {}", 100 * std::clamp(fraction, 0.0, 1.0),
                                 loss_text(running_loss, 2), unit_);
  const double in_epoch = duration<double>(now - epoch_began_).count();
  if (in_epoch > 0 && images_done > epoch_offset_)
    tail += fmt::format("  {} {}/s", rate_text(static_cast<double>(images_done - epoch_offset_) / in_epoch),
                        examples_of(unit_));
  const std::int64_t done = (epoch_ - 1) * images_per_epoch_ + images_done;
  const double in_run = duration<double>(now - run_began_).count();
  if (in_run > 0 && done > run_offset_) {
    const std::int64_t left = std::max<std::int64_t>(epochs_ * images_per_epoch_ - done, 0);
    tail += fmt::format("  {} left", time_left_text(in_run * static_cast<double>(left) /
                                                    static_cast<double>(done - run_offset_)));
  }
  line_.draw(head, fraction, tail);
}

void Progress::finish_epoch(const EpochLine& line) {
  line_.write(epoch_text(line, epochs_, images_per_epoch_, unit_));
}

std::string_view examples_of(std::string_view unit) {
  return unit.find("row") != unit.npos || unit.find("column") != unit.npos ? "rows" : "images";
}

std::string loss_text(double loss, int decimals) {
  if (loss != 0 && std::abs(loss) < 1) decimals = 4;
  return std::abs(loss) < 1e7 ? fmt::format("{:.{}f}", loss, decimals) : fmt::format("{:.4g}", loss);
}

std::string rate_text(double per_second) {
  constexpr std::array<const char*, 4> kUnits = {"", "k", "M", "G"};
  std::size_t unit = 0;
  // 999.5 would round to 1000 of the smaller unit.
  for (; unit + 1 < kUnits.size() && per_second >= 999.5; ++unit) per_second /= 1000;
  return fmt::format("{:.{}f}{}", per_second, per_second < 9.95 ? 1 : 0, kUnits[unit]);
}

std::string time_left_text(double seconds) {
  if (!(seconds < 1e9)) return "?";
  if (seconds < 0.95) return fmt::format("{:.1f} s", std::max(seconds, 0.0));
  const auto whole = static_cast<std::int64_t>(std::llround(seconds));
  if (whole < 60) return fmt::format("{} s", whole);
  if (whole < 3600) return fmt::format("{} min {} s", whole / 60, whole % 60);
  return fmt::format("{} h {} min", whole / 3600, whole % 3600 / 60);
}

std::string elapsed_text(double seconds) {
  if (seconds < 9.995) return fmt::format("{:.2f} s", seconds);
  if (seconds < 59.95) return fmt::format("{:.1f} s", seconds);
  return time_left_text(seconds);
}

std::string epoch_text(const EpochLine& line, int epochs, std::int64_t images, std::string_view unit) {
  std::string text = fmt::format("epoch {}/{}  train {}", line.epoch, epochs, loss_text(line.train, 2));
  if (line.val) text += fmt::format("  val {}", loss_text(*line.val, 2));
  const std::string weight = line.beta == 1 ? "" : fmt::format("{} x ", line.beta);
  text += fmt::format("  {} (reconstruction {}{}KL {})  {}", unit, loss_text(line.reconstruction, 1),
                      line.is_sum ? " + " + weight : ", ", loss_text(line.kl, 1), elapsed_text(line.seconds));
  if (line.seconds > 0)
    text +=
        fmt::format("  {} {}/s", rate_text(static_cast<double>(images) / line.seconds), examples_of(unit));
  if (line.best) text += "  best";
  return text;
}

}  // namespace gpuvae::apps

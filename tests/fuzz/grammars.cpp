// The small grammars of the command line. The first character of the input chooses one, and the rest is the
// text of the flag.
#include <cmath>

#include "apps/cli/command_line.h"
#include "apps/cli/data_flags.h"
#include "apps/cli/grid.h"
#include "apps/cli/settings.h"
#include "apps/program/latent_file.h"
#include "tests/fuzz/fuzz.h"

namespace {

using namespace gpuvae;

bool is_mistake(const std::string& mistake) {
  if (!mistake.empty()) fuzz::require(mistake.starts_with("expected "), "a mistake says what is expected");
  return !mistake.empty();
}

void manifold(const std::string& text) {
  if (is_mistake(apps::grid_mistake(text))) return;
  for (const apps::Grid& grid : apps::parse_grids(text)) {
    fuzz::require(grid.n >= 1 && grid.n <= 200, "a grid has 1 to 200 images per side");
    for (const auto& axis : {grid.across(-2, 2), grid.down(-2, 2)}) {
      fuzz::require(axis.size() == static_cast<std::size_t>(grid.n), "an axis has a code per image");
      for (const double z : axis) fuzz::require(std::isfinite(z), "codes of a grid are finite");
    }
    if (grid.kind != apps::GridKind::quantile) continue;
    for (const double p : {grid.low, grid.high}) {
      const double z = apps::normal_quantile(p), back = 0.5 * std::erfc(-z / std::sqrt(2.0));
      fuzz::require(std::abs(back - p) <= 1e-9 * p, "a quantile is the inverse of the distribution");
    }
  }
}

void sliders(const std::string& text) {
  if (is_mistake(apps::slider_mistake(text)) || text.empty()) return;
  const apps::SliderRange r = apps::parse_sliders(text);
  fuzz::require(r.low < r.high && r.step > 0 && std::isfinite(r.scale) && r.scale != 0, "sliders can move");
}

void columns(const std::string& text) {
  if (is_mistake(apps::columns_mistake(text))) return;
  for (const std::string& name : apps::parse_columns(text))
    fuzz::require(!name.empty(), "columns have names");
}

void value_range(const std::string& text) {
  if (is_mistake(apps::value_range_mistake(text))) return;
  const auto range = apps::parse_value_range(text);
  fuzz::require(range.has_value() == !text.empty(), "only an empty text is no range");
  if (range)
    fuzz::require(std::isfinite((*range)[0]) && std::isfinite((*range)[1]) && (*range)[0] < (*range)[1],
                  "a range is finite and in order");
}

void checkpoint_interval(const std::string& text) {
  const auto interval = apps::parse_checkpoint_interval(text);
  if (!interval) return;
  fuzz::require((interval->seconds > 0) != (interval->epochs > 0) && std::isfinite(interval->seconds),
                "an interval is a time or a number of epochs");
}

void codes(const std::string& text) {
  std::vector<float> z;
  if (!fuzz::accepts([&] { z = apps::parse_codes(text, 2); })) return;
  fuzz::require(!z.empty() && z.size() % 2 == 0, "each code has two numbers");
  for (const float value : z) fuzz::require(std::isfinite(value), "codes are finite");
}

// "WARMUP DECAY-EPOCHS DECAY-RATE EPOCHS STEPS", as texts of the flags, and a number of steps per epoch.
void schedule(std::string_view text) {
  apps::RunConfig config;
  const auto next = [&] {
    const std::string word(text.substr(0, text.find(' ')));
    text.remove_prefix(std::min(text.size(), word.size() + 1));
    return word;
  };
  apps::Texts texts;
  for (const char* flag : {"--schedule", "--lr-warmup", "--lr-decay-epochs", "--lr-decay-rate", "--epochs"})
    texts[flag] = next();
  if (!apps::mistake_in(texts).empty()) return;
  for (const apps::SettingGroup& group : apps::settings(config)) apps::assign_texts(texts, group.settings);
  const std::int64_t steps = 1 + static_cast<std::int64_t>(text.size());
  const LearningRateSchedule factor = config.learning_rate_schedule(steps);
  if (!factor) return;
  const auto last = static_cast<std::uint64_t>(steps) * static_cast<std::uint64_t>(config.epochs);
  for (const std::uint64_t step : {std::uint64_t{0}, std::uint64_t{1}, last / 2, last, 2 * last + 1}) {
    const double f = factor(step);
    fuzz::require(f >= 0 && !std::isnan(f), "factors are not negative");
    fuzz::require(config.schedule.decay_rate > 1 || f <= 1, "factors are at most 1 unless they grow");
  }
}

// "FLAG VALUE": a text that a setting accepts is read back from the value that it sets.
void setting(const std::string& text) {
  const std::size_t space = std::min(text.find(' '), text.size());
  const std::string flag = "--" + text.substr(0, space),
                    value = text.substr(std::min(text.size(), space + 1));
  if (!apps::mistake_in({{flag, value}}).empty()) return;
  apps::RunConfig config;
  for (const apps::SettingGroup& group : apps::settings(config))
    for (const apps::Setting& s : group.settings) {
      if (s.flag != flag) continue;
      fuzz::require(s.variable.assign(value).empty(), "a text without mistake is accepted");
      const apps::SettingValue before = s.variable.value();
      fuzz::require(s.variable.assign(apps::text_of(before)).empty() && s.variable.value() == before,
                    "the text of a value is read back");
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string text(reinterpret_cast<const char*>(data) + 1, size - 1);
  switch (data[0]) {
    case 'm':
      manifold(text);
      break;
    case 's':
      sliders(text);
      break;
    case 'c':
      columns(text);
      break;
    case 'v':
      value_range(text);
      break;
    case 'i':
      checkpoint_interval(text);
      break;
    case 'z':
      codes(text);
      break;
    case 'l':
      schedule(text);
      break;
    case 'f':
      setting(text);
      break;
    default:
      break;
  }
  return 0;
}

#include "apps/sweep/plan.h"

#include <algorithm>
#include <cctype>
#include <charconv>
#include <climits>
#include <set>

#include "apps/cli/text.h"
#include "kernels/check.h"

namespace gpuvae::apps {
namespace {

constexpr std::size_t kMaxRuns = 100'000;

// The sweep chooses these for each run.
void refuse_reserved(const std::string& key) {
  const auto refuse = [&](const char* reserved, const char* instead) {
    check(key != reserved, "sweep", "--grid {}: expected another setting, {}", reserved, instead);
  };
  refuse("seed", "because --seeds lists the seeds");
  refuse("out", "because the sweep names the folders");
  refuse("threads", "because --threads applies to all runs");
}

// Returns the value as config.toml has it, so that 0.50 and 0.5 are the same. Throws Error.
std::string canonical(const std::string& key, const std::string& value) {
  RunConfig scratch;
  for (const SettingGroup& group : settings(scratch))
    for (const Setting& setting : group.settings) {
      if (setting.flag != "--" + key) continue;
      const std::string mistake = setting.variable.assign(value);
      check(mistake.empty(), "sweep", "--grid {}: {}", key, mistake);
      return text_of(setting.variable.value());
    }
  fail("sweep", "--grid {}: expected the name of a setting, which is a flag without its dashes", key);
}

GridKey parse_term(const std::string& term) {
  const std::size_t equals = term.find('=');
  check(equals != std::string::npos && equals > 0, "sweep", "--grid: expected NAME=VALUE,VALUE,..., got {}",
        term.empty() ? "nothing" : term);
  GridKey key{term.substr(0, equals), {}};
  if (key.key.starts_with("--")) key.key.erase(0, 2);
  refuse_reserved(key.key);
  const std::string list = term.substr(equals + 1);
  check(!list.empty(), "sweep", "--grid {}: expected values with a comma between them, got nothing", key.key);
  const char separator = list.find(';') != std::string::npos ? ';' : ',';
  for (const std::string& part : parts_of(list, separator)) {
    check(!part.empty(), "sweep", "--grid {}: expected values with a {} between them, got {}", key.key,
          separator == ';' ? "semicolon" : "comma", list);
    const std::string value = canonical(key.key, part);
    check(std::ranges::find(key.values, value) == key.values.end(), "sweep",
          "--grid {}: expected different values, got {} twice", key.key, value);
    key.values.push_back(value);
  }
  return key;
}

std::uint64_t parse_seed(const std::string& text, const std::string& all) {
  std::uint64_t seed = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), seed);
  check(error == std::errc() && end == text.data() + text.size(), "sweep",
        "--seeds: expected whole numbers such as 0..19 or 0,1,5, got {}", all);
  return seed;
}

bool is_plain(char c) {
  return std::isalnum(static_cast<unsigned char>(c)) != 0 || std::string_view("._+-:,").find(c) < 6;
}

std::string file_name_text(const std::string& text) {
  std::string result;
  for (const char c : text)
    result += is_plain(c) ? std::string(1, c) : fmt::format("%{:02X}", static_cast<unsigned char>(c));
  return result;
}

// The flags of a run that belong to its configuration. The others are those of the sweep.
Texts settings_in(const Texts& given) {
  Texts texts;
  for (const ValueGroup& group : values_of(RunConfig()))
    for (const NamedValue& v : group.values)
      if (const auto found = given.find(v.flag); found != given.end()) texts.insert(*found);
  return texts;
}

// Throws Error if a name is too long for a file system.
PlannedRun plan_run(const Program& program, const SweepPlan& plan, const Texts& base, const GridPoint& point,
                    std::uint64_t seed) {
  PlannedRun run{run_name(point, seed), base, {}};
  check(run.name.size() <= NAME_MAX, "sweep", "expected a folder name of at most {} characters, got {}",
        NAME_MAX, run.name);
  for (const auto& [key, value] : point) run.texts["--" + key] = value;
  run.texts["--seed"] = std::to_string(seed);
  run.texts["--threads"] = std::to_string(plan.threads);
  run.texts["--out"] = (plan.folder / run.name).string();
  run.config = config_of_texts(run.texts, "--grid", program.name, program.presets);
  check(run.config.epochs > 0, "sweep", "expected --epochs of 1 or more, got {}", run.config.epochs);
  return run;
}

}  // namespace

std::vector<GridKey> parse_grid(const std::vector<std::string>& terms) {
  std::vector<GridKey> grid;
  for (const std::string& term : terms) {
    grid.push_back(parse_term(term));
    for (std::size_t k = 0; k + 1 < grid.size(); ++k)
      check(grid[k].key != grid.back().key, "sweep", "--grid: expected different settings, got {} twice",
            grid[k].key);
  }
  return grid;
}

std::vector<std::uint64_t> parse_seeds(const std::string& text) {
  check(!text.empty(), "sweep", "--seeds: expected whole numbers such as 0..19 or 0,1,5, got nothing");
  std::vector<std::uint64_t> seeds;
  std::set<std::uint64_t> known;
  for (const std::string& part : parts_of(text, ',')) {
    const std::size_t dots = part.find("..");
    const std::uint64_t first = parse_seed(part.substr(0, dots), text);
    const std::uint64_t last = dots == std::string::npos ? first : parse_seed(part.substr(dots + 2), text);
    check(first <= last && last - first < kMaxRuns, "sweep",
          "--seeds: expected FIRST..LAST in ascending order and at most {} seeds, got {}", kMaxRuns, part);
    for (std::uint64_t i = 0; i <= last - first; ++i) {
      check(known.insert(first + i).second, "sweep", "--seeds: expected different seeds, got {} twice",
            first + i);
      seeds.push_back(first + i);
    }
  }
  return seeds;
}

std::vector<GridPoint> grid_points(const std::vector<GridKey>& grid) {
  std::vector<GridPoint> points = {{}};
  for (const GridKey& key : grid) {
    check(points.size() * key.values.size() <= kMaxRuns, "sweep",
          "--grid: expected at most {} settings, got more", kMaxRuns);
    std::vector<GridPoint> longer;
    for (const GridPoint& point : points)
      for (const std::string& value : key.values) {
        longer.push_back(point);
        longer.back().emplace_back(key.key, value);
      }
    points = std::move(longer);
  }
  return points;
}

std::string run_name(const GridPoint& point, std::uint64_t seed) {
  std::string name;
  for (const auto& [key, value] : point) name += fmt::format("{}={},", key, file_name_text(value));
  return fmt::format("{}seed={}", name, seed);
}

std::vector<std::string> keys_of_name(const std::string& name) {
  std::vector<std::string> keys;
  for (const std::string& part : parts_of(name, ','))
    if (const std::size_t equals = part.find('='); equals != std::string::npos)
      keys.push_back(part.substr(0, equals));
  if (keys.empty() || keys.back() != "seed") return {};
  keys.pop_back();
  return keys;
}

SweepPlan plan_sweep(const Program& program, const CommandLine& line) {
  const Texts base = settings_in(line.texts);
  SweepPlan plan;
  const bool empty_grid = line.given.contains("--grid") && line.command.grid.empty();
  plan.grid = parse_grid(empty_grid ? std::vector<std::string>{""} : line.command.grid);
  check(!line.given.contains("--seed") || line.command.seeds.empty(), "sweep",
        "expected either --seed or --seeds, got both");
  plan.seeds =
      line.given.contains("--seeds") ? parse_seeds(line.command.seeds) : std::vector{line.config.seed};
  for (const GridKey& key : plan.grid)
    check(!line.given.contains("--" + key.key), "sweep",
          "expected either --{0} or a list of --grid for {0}, got both", key.key);
  const auto out = line.given.find("--out");
  plan.folder = out != line.given.end() && !out->second.empty()
                    ? out->second
                    : fmt::format("runs/{}-{}-sweep", program.name, line.config.preset);
  plan.threads = line.config.threads > 0 ? line.config.threads : 1;
  const std::vector<GridPoint> points = grid_points(plan.grid);
  check(points.size() * plan.seeds.size() <= kMaxRuns, "sweep", "expected at most {} runs, got {}", kMaxRuns,
        points.size() * plan.seeds.size());
  for (const std::uint64_t seed : plan.seeds)
    for (const GridPoint& point : points) plan.runs.push_back(plan_run(program, plan, base, point, seed));
  return plan;
}

}  // namespace gpuvae::apps

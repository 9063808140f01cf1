#include "apps/cli/settings.h"

#include "src/io/printable.h"

namespace gpuvae::apps {
namespace {

// An empty text is shown as two quotes.
std::string shown(const SettingValue& value) {
  const std::string text = text_of(value);
  return text.empty() ? "\"\"" : text;
}

// Returns the first value that differs and for which `matters` returns true.
template <class Matters>
std::optional<Difference> difference(const RunConfig& a, const RunConfig& b, Matters matters) {
  const std::vector<ValueGroup> left = values_of(a), right = values_of(b);
  for (std::size_t g = 0; g < left.size(); ++g)
    for (std::size_t i = 0; i < left[g].values.size(); ++i) {
      const NamedValue &l = left[g].values[i], &r = right[g].values[i];
      if (matters(l) && l.value != r.value) return Difference{l.flag, shown(l.value), shown(r.value)};
    }
  return std::nullopt;
}

}  // namespace

void assign_texts(const Texts& texts, const std::vector<Setting>& settings) {
  for (const Setting& setting : settings)
    if (const auto found = texts.find(setting.flag); found != texts.end())
      setting.variable.assign(found->second);
}

std::string mistake_in(const Texts& texts) {
  RunConfig scratch;
  std::map<std::string, Binding> known;
  for (const SettingGroup& group : settings(scratch))
    for (const Setting& setting : group.settings) known.emplace(setting.flag, setting.variable);
  for (const auto& [flag, text] : texts) {
    const std::string key = io::printable(flag.substr(2));
    const auto found = known.find(flag);
    if (found == known.end()) return key + ": expected the name of a setting";
    if (const std::string mistake = found->second.assign(text); !mistake.empty()) return key + ": " + mistake;
  }
  return "";
}

std::vector<SettingGroup> settings(RunConfig& c) {
  return {
      {"Run", run_settings(c)},   {"Data", data_settings(c)},           {"Model", model_settings(c)},
      {"Loss", loss_settings(c)}, {"Optimiser", optimizer_settings(c)}, {"Pictures", picture_settings(c)}};
}

std::vector<ValueGroup> values_of(const RunConfig& config) {
  RunConfig copy = config;
  std::vector<ValueGroup> groups;
  for (const SettingGroup& group : settings(copy)) {
    groups.push_back({group.name, {}});
    for (const Setting& s : group.settings)
      groups.back().values.push_back({s.flag, s.variable.value(), s.decides_weights});
  }
  return groups;
}

std::optional<Difference> training_difference(const RunConfig& a, const RunConfig& b) {
  const bool any_length = !depends_on_epochs(a.schedule);
  return difference(
      a, b, [&](const NamedValue& v) { return v.decides_weights && !(any_length && v.flag == "--epochs"); });
}

bool same_training(const RunConfig& a, const RunConfig& b) { return !training_difference(a, b); }

std::optional<Difference> first_difference(const RunConfig& a, const RunConfig& b) {
  return difference(a, b, [](const NamedValue& v) { return v.decides_weights || v.flag == "--preset"; });
}

}  // namespace gpuvae::apps

#include "gpuvae/weights.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "kernels/check.h"
#include "src/io/printable.h"

namespace gpuvae {
namespace {

WeightMap map_layers(const LayerMap& layers, const std::string& weight, const std::string& bias,
                     bool transposed) {
  WeightMap map;
  for (const auto& [layer, parts] : layers)
    for (const bool is_bias : {false, true}) {
      WeightSource& source = map[layer + (is_bias ? ".bias" : ".weight")];
      source.transposed = transposed && !is_bias;
      for (const WeightPart& part : parts)
        source.parts.emplace_back(part.name + (is_bias ? bias : weight), part.first, part.count);
    }
  return map;
}

std::string extents_text(std::span<const std::int64_t> shape) {
  return fmt::format("[{}]", fmt::join(shape, ", "));
}

std::string quoted(const std::string& name) { return fmt::format("'{}'", io::printable(name)); }

// Collects the tensors of the parameters and all that is wrong with them.
class WeightLoader {
 public:
  WeightLoader(const SafetensorsReader& file, std::span<const Parameter> parameters, const WeightMap& map,
               const LoadWeightsOptions& options)
      : file_(file), parameters_(parameters), map_(map), options_(options) {
    for (const TensorInfo& tensor : file.tensors()) infos_[tensor.name] = &tensor;
  }

  LoadedWeights load();

 private:
  using Interval = std::pair<std::int64_t, std::int64_t>;

  std::vector<std::string> missing_tensors(const WeightSource& source) const;
  std::vector<Interval> intervals(const Parameter& parameter, const WeightSource& source);
  bool has_fitting_shape(const Parameter& parameter, const WeightSource& source);
  void check_map();
  void check_outputs();
  void check_unused();
  std::vector<float> values(const Parameter& parameter, const WeightSource& source) const;
  [[noreturn]] void fail_with_problems() const;

  WeightSource source_of(const Parameter& parameter) const {
    const auto found = map_.find(parameter.name);
    return found == map_.end() ? WeightSource{{parameter.name}} : found->second;
  }
  // The axis of a tensor along which its outputs lie.
  static std::size_t output_axis(const TensorInfo& tensor, bool transposed) {
    return transposed && tensor.shape.size() == 2 ? 1 : 0;
  }

  const SafetensorsReader& file_;
  std::span<const Parameter> parameters_;
  const WeightMap& map_;
  const LoadWeightsOptions& options_;
  std::map<std::string, const TensorInfo*> infos_;
  std::map<std::string, std::vector<Interval>> used_;      // outputs by the name of the tensor
  std::map<std::string, std::int64_t> outputs_;            // number of outputs of the tensors in used_
  std::vector<std::pair<Parameter, WeightSource>> found_;  // parameters that get new values
  LoadedWeights report_;
  std::vector<std::string> missing_, problems_;
};

std::vector<std::string> WeightLoader::missing_tensors(const WeightSource& source) const {
  std::vector<std::string> missing;
  for (const WeightPart& part : source.parts)
    if (!infos_.contains(part.name)) missing.push_back(quoted(part.name));
  return missing;
}

// Returns the outputs that each part selects, or nothing if one of them does not exist.
std::vector<WeightLoader::Interval> WeightLoader::intervals(const Parameter& parameter,
                                                            const WeightSource& source) {
  std::vector<Interval> intervals;
  for (const WeightPart& part : source.parts) {
    const TensorInfo& tensor = *infos_.at(part.name);
    if (tensor.shape.empty()) {
      problems_.push_back(fmt::format("{}: expected a tensor with outputs, got the number {}", parameter.name,
                                      quoted(part.name)));
      return {};
    }
    const std::int64_t outputs = tensor.shape[output_axis(tensor, source.transposed)];
    const std::int64_t count = part.count < 0 ? outputs - part.first : part.count;
    if (part.first < 0 || count < 0 || part.first > outputs || count > outputs - part.first) {
      problems_.push_back(fmt::format("{}: expected outputs within the {} of {} {}, got {} from output {} on",
                                      parameter.name, outputs, quoted(part.name), extents_text(tensor.shape),
                                      count, part.first));
      return {};
    }
    intervals.emplace_back(part.first, part.first + count);
  }
  return intervals;
}

// Whether the joined parts have the shape of the parameter. Adds a problem if not.
bool WeightLoader::has_fitting_shape(const Parameter& parameter, const WeightSource& source) {
  const auto expected = parameter.variable.shape().extents();
  if (source.parts.empty()) {
    problems_.push_back(fmt::format("{}: expected a tensor in the map, got none", parameter.name));
    return false;
  }
  const std::vector<Interval> chosen = intervals(parameter, source);
  if (chosen.empty()) return false;
  std::int64_t outputs = 0;
  bool fits = true, fits_transposed = false;
  for (std::size_t i = 0; i < chosen.size(); ++i) {
    const TensorInfo& tensor = *infos_.at(source.parts[i].name);
    std::vector<std::int64_t> shape = tensor.shape;
    if (source.transposed) std::ranges::reverse(shape);
    outputs += chosen[i].second - chosen[i].first;
    fits = fits && shape.size() == expected.size() &&
           std::equal(shape.begin() + 1, shape.end(), expected.begin() + 1);
    std::ranges::reverse(shape);
    fits_transposed = fits_transposed || (shape.size() == 2 && std::ranges::equal(shape, expected));
    used_[tensor.name].push_back(chosen[i]);
    outputs_[tensor.name] = tensor.shape[output_axis(tensor, source.transposed)];
  }
  fits = fits && outputs == expected[0];
  if (fits) return true;
  std::vector<std::string> got;
  for (const WeightPart& part : source.parts)
    got.push_back(fmt::format("{} {}", quoted(part.name), extents_text(infos_.at(part.name)->shape)));
  problems_.push_back(fmt::format(
      "{}: expected {}{}, got {}{}", parameter.name, extents_text(expected),
      source.transposed ? " transposed" : "", fmt::join(got, " and "),
      fits_transposed ? fmt::format(", which fits if transposed is {}", source.transposed ? "false" : "true")
                      : ""));
  return false;
}

void WeightLoader::check_map() {
  std::vector<std::string> unknown;
  for (const auto& [name, source] : map_)
    if (std::ranges::none_of(parameters_, [&, &key = name](const Parameter& p) { return p.name == key; }))
      unknown.push_back(quoted(name));
  if (!unknown.empty())
    problems_.push_back(fmt::format("names of the map that are no parameter: {}", fmt::join(unknown, ", ")));
}

// Checks that each output of a tensor belongs to one parameter.
void WeightLoader::check_outputs() {
  for (auto& [name, intervals] : used_) {
    std::ranges::sort(intervals);
    std::int64_t next = 0;
    bool twice = false, gap = false;
    for (const auto& [begin, end] : intervals) {
      twice = twice || begin < next;
      gap = gap || begin > next;
      next = std::max(next, end);
    }
    gap = gap || next < outputs_[name];
    if (twice) problems_.push_back(fmt::format("outputs of {} are used twice", quoted(name)));
    if (gap)
      problems_.push_back(
          fmt::format("some of the {} outputs of {} are not used", outputs_[name], quoted(name)));
  }
}

void WeightLoader::check_unused() {
  std::set<std::string> named;
  for (const Parameter& p : parameters_)
    for (const WeightPart& part : source_of(p).parts) named.insert(part.name);
  std::vector<std::string> unexpected;
  for (const TensorInfo& tensor : file_.tensors()) {
    if (named.contains(tensor.name)) continue;
    const bool ignored = std::ranges::any_of(
        options_.ignore, [&](const std::string& pattern) { return matches_pattern(tensor.name, pattern); });
    if (ignored)
      report_.ignored.push_back(tensor.name);
    else
      unexpected.push_back(quoted(tensor.name));
  }
  if (!unexpected.empty())
    problems_.push_back(fmt::format("tensors that belong to no parameter: {}", fmt::join(unexpected, ", ")));
}

// Returns the values of a parameter, [out, in] or [out].
std::vector<float> WeightLoader::values(const Parameter& parameter, const WeightSource& source) const {
  std::vector<float> values;
  for (const WeightPart& part : source.parts) {
    const TensorInfo& tensor = *infos_.at(part.name);
    const std::int64_t total = tensor.shape[output_axis(tensor, source.transposed)];
    const std::int64_t count = part.count < 0 ? total - part.first : part.count;
    if (!source.transposed || tensor.shape.size() != 2) {
      const std::vector<float> rows = file_.read_rows(part.name, part.first, count).to_vector();
      values.insert(values.end(), rows.begin(), rows.end());
      continue;
    }
    const std::vector<float> all = file_.read(part.name).to_vector();
    for (std::int64_t out = part.first; out < part.first + count; ++out)
      for (std::int64_t in = 0; in < tensor.shape[0]; ++in)
        values.push_back(all[static_cast<std::size_t>(in * total + out)]);
  }
  for (const float value : values)
    check(std::isfinite(value), file_error("load_weights"), "{}: expected finite values for {}, got {}",
          file_.path().string(), parameter.name, value);
  return values;
}

void WeightLoader::fail_with_problems() const {
  fail(file_error("load_weights"), "{}: {}", file_.path().string(), fmt::join(problems_, "; "));
}

LoadedWeights WeightLoader::load() {
  for (const Parameter& parameter : parameters_) {
    check(static_cast<bool>(parameter.variable), "load_weights",
          "expected {} to have a variable, got an undefined one", parameter.name);
    const WeightSource source = source_of(parameter);
    const std::vector<std::string> missing = missing_tensors(source);
    if (missing.empty()) {
      if (has_fitting_shape(parameter, source)) found_.emplace_back(parameter, source);
    } else if (options_.allow_missing && missing.size() == source.parts.size()) {
      report_.kept.push_back(parameter.name);
    } else {
      missing_.push_back(fmt::format("{} (tensor {})", parameter.name, fmt::join(missing, ", ")));
    }
  }
  if (!missing_.empty())
    problems_.push_back(fmt::format("parameters without a tensor: {}", fmt::join(missing_, ", ")));
  check_unused();
  check_map();
  check_outputs();
  if (!problems_.empty()) fail_with_problems();
  file_.check_checksum();
  std::vector<Tensor> tensors;
  for (const auto& [parameter, source] : found_)
    tensors.push_back(Tensor::from(values(parameter, source), parameter.variable.shape()));
  for (std::size_t i = 0; i < tensors.size(); ++i) {
    found_[i].first.variable.value().copy_from(tensors[i]);
    report_.loaded.push_back(found_[i].first.name);
  }
  return report_;
}

}  // namespace

WeightMap pytorch_weights(const LayerMap& layers) { return map_layers(layers, ".weight", ".bias", false); }

WeightMap keras_weights(const LayerMap& layers, const std::string& separator) {
  return map_layers(layers, separator + "kernel", separator + "bias", true);
}

LoadedWeights load_weights(const SafetensorsReader& file, std::span<const Parameter> parameters,
                           const WeightMap& map, const LoadWeightsOptions& options) {
  return WeightLoader(file, parameters, map, options).load();
}

}  // namespace gpuvae

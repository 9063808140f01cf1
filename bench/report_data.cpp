#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <map>
#include <sstream>

#include "bench/report.h"
#include "gpuvae/error.h"
#include "src/io/file.h"

namespace gpuvae::bench {
namespace {

using nlohmann::json;

[[noreturn]] void fail(const std::filesystem::path& path, const std::string& reason) {
  throw Error("report", path.string() + ": " + reason);
}

json parse(const std::filesystem::path& path, const std::string& text) {
  try {
    return json::parse(text);
  } catch (const json::exception& error) {
    fail(path, error.what());
  }
}

std::optional<double> number(const json& o, const char* key) {
  if (!o.contains(key) || !o[key].is_number()) return std::nullopt;
  return o[key].get<double>();
}

// name: "bce/100x784/training/cold/iterations:1/manual_time"
Operation operation_of(const json& b) {
  Operation o;
  std::stringstream parts(b.at("name").get<std::string>());
  std::string temperature;
  for (std::string* part : {&o.operation, &o.size, &o.pass, &temperature}) std::getline(parts, *part, '/');
  o.cold = temperature == "cold";
  o.large = b.value("label", "").starts_with("large");
  if (b.value("error_occurred", false)) {
    o.failure = b.value("error_message", "failed");
    return o;
  }
  o.seconds = b.at("real_time").get<double>() * 1e-6;  // all times are registered in microseconds
  const auto value = [&](const char* key) { return number(b, key).value_or(0); };
  o.low = value("low");
  o.high = value("high");
  o.bytes = value("bytes");
  o.flops = value("flops");
  o.moved = value("moved");
  o.unfused = number(b, "unfused");
  o.speedup = number(b, "speedup");
  o.unfused_moved = number(b, "unfused_moved");
  o.unfused_curand = number(b, "unfused_curand");
  o.copy = number(b, "copy");
  o.matmul = number(b, "matmul");
  o.error = number(b, "error");
  o.launches = number(b, "launches");
  o.unfused_launches = number(b, "unfused_launches");
  o.rounds = static_cast<int>(value("samples"));
  o.disturbed = static_cast<int>(value("disturbed"));
  if (o.speedup) {
    const std::optional<double> low = number(b, "speedup_low"), high = number(b, "speedup_high");
    if (low && high) o.interval = Interval{*low, *high};
    o.verdict = name(verdict_of(o.interval));
  }
  return o;
}

void put(json& row, const char* key, const std::optional<double>& value) {
  if (value) row[key] = *value;
}

json row_of(const Operation& o) {
  json row{
      {"operation", o.operation}, {"size", o.size}, {"pass", o.pass}, {"large", o.large}, {"cold", o.cold}};
  if (!o.failure.empty()) {
    row["failure"] = o.failure;
    return row;
  }
  row.update({{"seconds", o.seconds},
              {"low", o.low},
              {"high", o.high},
              {"rounds", o.rounds},
              {"disturbed", o.disturbed},
              {"bytes", o.bytes},
              {"flops", o.flops},
              {"moved", o.moved}});
  put(row, "unfused_seconds", o.unfused);
  put(row, "speedup", o.speedup);
  if (o.interval) row["speedup_interval"] = {o.interval->low, o.interval->high};
  if (!o.verdict.empty()) row["verdict"] = o.verdict;
  put(row, "unfused_moved", o.unfused_moved);
  put(row, "unfused_curand", o.unfused_curand);
  put(row, "share_of_copy", o.copy), put(row, "share_of_matmul", o.matmul), put(row, "error", o.error);
  put(row, "launches", o.launches), put(row, "unfused_launches", o.unfused_launches);
  if (!o.samples.is_null()) row["samples"] = o.samples;
  return row;
}

void read_operations(const std::filesystem::path& path, Report& report) {
  const json root = parse(path, io::read_file(path));
  const json context = root.value("context", json::object());
  const auto ceiling = [&](const char* key) { return std::atof(context.value(key, "0").c_str()); };
  report.copy_bytes = ceiling("copy_bytes_per_second");
  report.matmul_flops = ceiling("matmul_flops_per_second");
  for (const char* key : {"device", "device_description", "compiler"})
    if (context.contains(key)) report.environment[key] = context[key];
  for (const json& b : root.value("benchmarks", json::array())) report.operations.push_back(operation_of(b));
}

void read_samples(const std::filesystem::path& path, Report& report) {
  std::map<std::string, json> samples;
  std::stringstream lines(io::read_file(path));
  for (std::string line; std::getline(lines, line);) {
    json row = parse(path, line);
    const std::string of = row.at("name");
    row.erase("name");
    row.erase("verdict");
    samples[of] = std::move(row);
  }
  for (Operation& o : report.operations) {
    const auto found =
        samples.find(fmt::format("{}/{}/{}/{}", o.operation, o.size, o.pass, o.cold ? "cold" : "warm"));
    if (found != samples.end()) o.samples = found->second;
  }
}

void read_training(const std::filesystem::path& path, Report& report) {
  std::stringstream lines(io::read_file(path));
  for (std::string line; std::getline(lines, line);) {
    json row = parse(path, line);
    const std::string kind = row.value("kind", "");
    if (kind == "step")
      report.steps.push_back(std::move(row));
    else if (kind == "epoch")
      report.epochs.push_back(std::move(row));
    else if (kind == "breakdown")
      report.breakdown.push_back(std::move(row));
    else if (kind == "device" && !report.environment.contains("device"))
      report.environment.update({{"device", row.at("device")},
                                 {"device_description", row.at("description")},
                                 {"compiler", row.at("compiler")}});
  }
}

}  // namespace

Report read_report(const ReportFiles& files) {
  using std::filesystem::exists;
  Report report;
  if (!files.environment.empty())
    report.environment = parse(files.environment, io::read_file(files.environment));
  if (exists(files.operations)) read_operations(files.operations, report);
  if (exists(files.samples)) read_samples(files.samples, report);
  if (exists(files.training)) read_training(files.training, report);
  if (exists(files.peers)) report.peers = parse(files.peers, io::read_file(files.peers));
  return report;
}

std::string to_json(const Report& report) {
  json operations = json::array();
  for (const Operation& o : report.operations) operations.push_back(row_of(o));
  const json ceilings{{"copy_bytes_per_second", report.copy_bytes},
                      {"matmul_flops_per_second", report.matmul_flops}};
  std::string text =
      fmt::format("{{\n\"environment\": {},\n\"ceilings\": {}", report.environment.dump(), ceilings.dump());
  const auto add = [&](const char* key, const json& rows) {
    text += fmt::format(",\n\"{}\": [", key);
    for (std::size_t i = 0; i < rows.size(); ++i) text += (i ? ",\n" : "\n") + rows[i].dump();
    text += "\n]";
  };
  add("steps", report.steps);
  add("epochs", report.epochs);
  add("breakdown", report.breakdown);
  add("operations", operations);
  return text + "\n}\n";
}

std::vector<const Operation*> chosen(const Report& report, bool large, const std::string& pass) {
  std::vector<const Operation*> best;
  for (const Operation& o : report.operations) {
    if (!o.failure.empty() || o.large != large || o.cold != large) continue;
    if (o.pass != pass && o.pass != "update") continue;
    // Each optimiser counts as a separate operation.
    const auto key = [](const Operation& p) {
      return p.operation + (p.operation == "optimizer_step" ? p.size.substr(0, p.size.find('-')) : "");
    };
    const auto same =
        std::find_if(best.begin(), best.end(), [&](const Operation* p) { return key(*p) == key(o); });
    if (same == best.end())
      best.push_back(&o);
    else if (o.bytes > (*same)->bytes)
      *same = &o;
  }
  return best;
}

}  // namespace gpuvae::bench

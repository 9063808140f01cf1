#include <algorithm>
#include <cstdlib>
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
  std::stringstream name(b.at("name").get<std::string>());
  std::string temperature;
  for (std::string* part : {&o.operation, &o.size, &o.pass, &temperature}) std::getline(name, *part, '/');
  o.cold = temperature == "cold";
  o.large = b.value("label", "") == "large";
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
              {"bytes", o.bytes},
              {"flops", o.flops},
              {"moved", o.moved}});
  put(row, "unfused_seconds", o.unfused), put(row, "speedup", o.speedup),
      put(row, "unfused_moved", o.unfused_moved);
  put(row, "unfused_curand", o.unfused_curand);
  put(row, "share_of_copy", o.copy), put(row, "share_of_matmul", o.matmul), put(row, "error", o.error);
  put(row, "launches", o.launches), put(row, "unfused_launches", o.unfused_launches);
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

Report read_report(const std::filesystem::path& environment, const std::filesystem::path& operations,
                   const std::filesystem::path& training) {
  Report report;
  if (!environment.empty()) report.environment = parse(environment, io::read_file(environment));
  if (std::filesystem::exists(operations)) read_operations(operations, report);
  if (std::filesystem::exists(training)) read_training(training, report);
  return report;
}

json to_json(const Report& report) {
  json root{
      {"environment", report.environment},
      {"ceilings",
       {{"copy_bytes_per_second", report.copy_bytes}, {"matmul_flops_per_second", report.matmul_flops}}},
      {"steps", report.steps},
      {"epochs", report.epochs},
      {"breakdown", report.breakdown}};
  root["operations"] = json::array();
  for (const Operation& o : report.operations) root["operations"].push_back(row_of(o));
  return root;
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

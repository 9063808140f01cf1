// Settings of the emulated device, read from the environment once.
#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>

#include "detail.h"

namespace emulator {
namespace detail {
namespace {

std::uint64_t random_state = 1;

std::string_view variable(const char* name, std::string_view otherwise) {
  const char* text = std::getenv(name);
  return text ? std::string_view(text) : otherwise;
}

bool flag(const char* name, bool otherwise) {
  const std::string_view text = variable(name, otherwise ? "1" : "0");
  if (text != "0" && text != "1") fail("%s: expected 0 or 1, got '%s'", name, std::string(text).c_str());
  return text == "1";
}

template <class T, std::size_t N>
T choice(const char* name, const std::pair<std::string_view, T> (&choices)[N]) {
  const std::string_view text = variable(name, choices[0].first);
  std::string known;
  for (const auto& [word, value] : choices) {
    if (text == word) return value;
    known += (known.empty() ? "" : ", ") + std::string(word);
  }
  fail("%s: expected one of %s, got '%s'", name, known.c_str(), std::string(text).c_str());
}

std::uint64_t number(const char* name, std::uint64_t otherwise) {
  const char* text = std::getenv(name);
  if (!text) return otherwise;
  char* end = nullptr;
  const std::uint64_t value = std::strtoull(text, &end, 10);
  if (end == text || *end != '\0') fail("%s: expected a number, got '%s'", name, text);
  return value;
}

Settings from_environment() {
  Settings s;
  ptx::Options& o = s.kernels;
  o.order = choice<ptx::Order>("PTX_ORDER", {{"ascending", ptx::Order::ascending},
                                             {"descending", ptx::Order::descending},
                                             {"random", ptx::Order::random}});
  o.accumulate = choice<ptx::Accumulate>(
      "PTX_ACCUMULATE", {{"exact", ptx::Accumulate::exact}, {"truncating", ptx::Accumulate::truncating}});
  o.approximation = choice<ptx::Approximation>("PTX_APPROXIMATION", {{"nearest", ptx::Approximation::nearest},
                                                                     {"low", ptx::Approximation::low},
                                                                     {"high", ptx::Approximation::high}});
  o.seed = number("PTX_SEED", o.seed);
  o.races = flag("PTX_RACES", o.races);
  o.uninitialized = flag("PTX_UNINITIALIZED", o.uninitialized);
  o.profile = flag("PTX_PROFILE", std::getenv("PTX_REPORT") != nullptr);
  o.delayed_stores = flag("PTX_DELAYED_STORES", o.delayed_stores);
  s.overlap = flag("PTX_OVERLAP", s.overlap);
  s.fault_at_call = number("PTX_FAULT_AT_CALL", s.fault_at_call);
  s.lazy_streams = flag("PTX_LAZY_STREAMS", o.order == ptx::Order::random);
  random_state = o.seed * 0x9e3779b97f4a7c15ull + 1;
  return s;
}

}  // namespace

Settings& current() {
  static Settings& all = *new Settings(from_environment());
  return all;
}

bool lazy() { return current().lazy_streams; }

std::size_t random_below(std::size_t n) {  // xorshift
  random_state ^= random_state << 13;
  random_state ^= random_state >> 7;
  random_state ^= random_state << 17;
  return random_state % n;
}

}  // namespace detail

Settings settings() {
  const std::scoped_lock lock(detail::device_mutex());
  return detail::current();
}

void set_settings(const Settings& settings) {
  const std::scoped_lock lock(detail::device_mutex());
  detail::finish_all_streams();
  detail::current() = settings;
  detail::counters().calls = 0;
  detail::random_state = settings.kernels.seed * 0x9e3779b97f4a7c15ull + 1;
}

void fail(const char* format, ...) {
  char text[2048];
  va_list args;
  va_start(args, format);
  std::vsnprintf(text, sizeof text, format, args);
  va_end(args);
  throw Error(std::string("emulated device: ") + text);
}

}  // namespace emulator

#include "apps/run/status_line.h"

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cstdlib>
#include <cstring>
#include <string>

namespace gpuvae::apps {
namespace {

using namespace std::chrono_literals;

constexpr auto kRedraw = 100ms;
constexpr auto kLogEvery = 10s;
constexpr std::string_view kStartOfLine = "\r", kEraseToEnd = "\x1b[K", kCyan = "\x1b[36m",
                           kPlain = "\x1b[0m";

bool is_set(const char* variable) {
  const char* value = std::getenv(variable);
  return value && *value;
}

bool is_terminal_file(std::FILE* out) {
  const char* kind = std::getenv("TERM");
  return ::isatty(::fileno(out)) && !(kind && std::strcmp(kind, "dumb") == 0);
}

int terminal_columns(std::FILE* out) {
  winsize size{};
  return ::ioctl(::fileno(out), TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : 80;
}

void put(std::FILE* out, std::string_view text) {
  std::fwrite(text.data(), 1, text.size(), out);
  std::fflush(out);
}

// Returns the line that is redrawn. It is short enough not to wrap, and the bar takes the space that the text
// leaves.
std::string live_text(std::string_view head, double fraction, std::string_view tail, int columns, bool blocks,
                      bool colour) {
  constexpr int kLongestBar = 30, kShortestBar = 5;
  const int cells = std::min(kLongestBar, columns - 1 - static_cast<int>(head.size() + tail.size()) - 4);
  if (cells < kShortestBar)
    return fmt::format("{}  {}", head, tail).substr(0, static_cast<std::size_t>(std::max(columns - 1, 0)));
  return fmt::format("{} [{}{}{}] {}", head, colour ? kCyan : "", bar_text(fraction, cells, blocks),
                     colour ? kPlain : "", tail);
}

}  // namespace

StatusLine::StatusLine(std::FILE* out)
    : out_(out),
      terminal_(is_terminal_file(out)),
      blocks_(is_utf8_locale(std::getenv("LC_ALL"), std::getenv("LC_CTYPE"), std::getenv("LANG"))),
      colour_(terminal_ && !is_set("NO_COLOR")) {}

StatusLine::~StatusLine() {
  if (drawn_) put(out_, "\n");
}

std::chrono::steady_clock::duration StatusLine::interval() const {
  return terminal_ ? std::chrono::steady_clock::duration(kRedraw)
                   : std::chrono::steady_clock::duration(kLogEvery);
}

void StatusLine::draw(std::string_view head, double fraction, std::string_view tail) {
  if (!terminal_) return put(out_, fmt::format("{}  {}\n", head, tail));
  put(out_,
      fmt::format("{}{}{}", kStartOfLine,
                  live_text(head, fraction, tail, terminal_columns(out_), blocks_, colour_), kEraseToEnd));
  drawn_ = true;
}

void StatusLine::write(std::string_view line) {
  if (drawn_) put(out_, fmt::format("{}{}", kStartOfLine, kEraseToEnd));
  drawn_ = false;
  put(out_, fmt::format("{}\n", line));
}

std::string bar_text(double fraction, int cells, bool blocks) {
  constexpr std::array<std::string_view, 8> kEighths = {"", "▏", "▎", "▍", "▌", "▋", "▊", "▉"};
  fraction = fraction > 0 ? std::min(fraction, 1.0) : 0.0;  // NaN too
  const int eighths = static_cast<int>(fraction * cells * 8);
  const int full = eighths / 8, part = blocks ? eighths % 8 : 0;
  std::string bar;
  for (int i = 0; i < full; ++i) bar += blocks ? "█" : "#";
  bar += kEighths[static_cast<std::size_t>(part)];
  bar.append(static_cast<std::size_t>(cells - full - (part > 0)), ' ');
  return bar;
}

bool is_utf8_locale(const char* lc_all, const char* lc_ctype, const char* lang) {
  for (const char* value : {lc_all, lc_ctype, lang}) {
    if (!value || !*value) continue;
    std::string name(value);
    std::ranges::transform(name, name.begin(), [](unsigned char c) { return std::tolower(c); });
    return name.find("utf-8") != std::string::npos || name.find("utf8") != std::string::npos;
  }
  return false;
}

}  // namespace gpuvae::apps

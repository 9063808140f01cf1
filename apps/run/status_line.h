// One line of status on the terminal or in a log.
#pragma once

#include <chrono>
#include <cstdio>
#include <string>
#include <string_view>

namespace gpuvae::apps {

// On a terminal, the line is redrawn in place. In a log, every draw() writes a line. Colour needs a terminal
// and an unset $NO_COLOR, and block characters need a UTF-8 locale.
class StatusLine {
 public:
  explicit StatusLine(std::FILE* out);  // `out` must outlive this object
  ~StatusLine();                        // ends a line that is still being redrawn
  StatusLine(const StatusLine&) = delete;
  StatusLine& operator=(const StatusLine&) = delete;

  bool is_terminal() const { return terminal_; }
  bool has_utf8() const { return blocks_; }
  // How often the line should be drawn: on a terminal, ten times per second; in a log, every ten seconds.
  std::chrono::steady_clock::duration interval() const;
  // Draws `head`, a bar of which `fraction` is full, and `tail`. A log gets no bar.
  void draw(std::string_view head, double fraction, std::string_view tail);
  // Replaces the drawn line with a line that stays.
  void write(std::string_view line);

 private:
  std::FILE* const out_;
  const bool terminal_, blocks_, colour_;
  bool drawn_ = false;  // a line is being redrawn
};

std::string bar_text(double fraction, int cells, bool blocks);  // exactly `cells` characters on screen

// Whether a locale uses UTF-8. The arguments are the values of LC_ALL, LC_CTYPE and LANG, or null; the first
// that is set and not empty decides.
bool is_utf8_locale(const char* lc_all, const char* lc_ctype, const char* lang);

}  // namespace gpuvae::apps

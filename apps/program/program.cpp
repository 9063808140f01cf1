#include "apps/program/program.h"

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <new>
#include <optional>
#include <system_error>

#include "apps/cli/text.h"
#include "apps/program/commands.h"
#include "apps/run/ranks.h"
#include "apps/run/stop_signals.h"

namespace gpuvae::apps {
namespace {

// Throws Error if standard output could not be written, for example to a full disk or a closed pipe. A reader
// of the help may close the pipe after the lines that it needs, as head does.
void check_stdout(bool is_help) {
  if (std::fflush(stdout) == 0 && !std::ferror(stdout)) return;
  if (is_help && errno == EPIPE) return;
  throw Error("write", "standard output: " + std::generic_category().message(errno), ErrorKind::io);
}

}  // namespace

int run_program(int argc, char** argv, const Program& program) {
  std::signal(SIGPIPE, SIG_IGN);  // a closed pipe is an error of the write
  const CommandLine line = parse_command_line(argc, argv, program.name, program.description, program.presets);
  if (line.exit_code > 0) return line.exit_code;
  std::optional<Ranks> ranks;
  const int status = run_guarded(program.name, [&] {
    ranks.emplace();
    if (line.exit_code < 0) run_command(program, line);
    check_stdout(line.exit_code == 0);
  });
  if (ranks) ranks->end(status);
  return status;
}

int run_guarded(const std::string& program, const std::function<void()>& body) {
  try {
    body();
    return 0;
  } catch (const Stopped& stopped) {
    std::fprintf(stderr, "%s: %s\n", program.c_str(), one_line(stopped.what()).c_str());
    return stopped.exit_status();
  } catch (const std::bad_alloc&) {
    std::fprintf(stderr, "%s: out of memory\n", program.c_str());
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s: %s\n", program.c_str(), one_line(error.what()).c_str());
  }
  return 1;
}

}  // namespace gpuvae::apps

#include "apps/program/commands.h"

#include <cstdio>

#include "apps/program/check_command.h"
#include "apps/program/export.h"
#include "apps/program/report_commands.h"
#include "apps/program/rerun.h"
#include "apps/program/row_commands.h"
#include "apps/run/ranks.h"
#include "apps/run/run_files.h"
#include "apps/run/run_folder.h"
#include "apps/sweep/sweep.h"
#include "kernels/check.h"

namespace gpuvae::apps {
namespace {

// Commands on a trained model use the model file, and load the data only if they need them. If the folder has
// no model, its name may be mistyped, so they do not train one.
void open_or_train(Session& session, const Command& command) {
  const std::string& what = command.name;
  if (what == "train" || command.retrain) return session.train_or_reload(command);
  check_no_sweep(session.folder(), what);
  check(is_there(session.folder() / kModelFile), file_error(what),
        "{}: expected a folder with a trained model, found none: the command train, or --retrain, trains one",
        session.folder().string());
  if (!session.open_model(what)) return session.train_or_reload(command);
  const bool requires_data =
      what == "eval" || ((what == "encode" || what == "reconstruct") && command.input.empty());
  if (session.has_data() || (!requires_data && what != "explore" && what != "manifold")) return;
  const std::string why = session.load_data_of_model();
  if (requires_data && !why.empty()) throw Error(what, why, ErrorKind::io);
  if (!why.empty()) std::fprintf(stderr, "note    %s; no encoded data are shown\n", why.c_str());
}

// What a command does once there is a model.
void use_model(const Session& session, const Command& command) {
  const std::string& what = command.name;
  if (what == "eval") return eval(session, command);
  if (what == "encode") return encode(session, command);
  if (what == "decode") return decode(session, command);
  if (what == "reconstruct") return reconstruct(session, command);
  if (what == "sample") return sample(session, command);
  if (what == "manifold") return manifold(session, command);
  if (what == "explore") return explore(session, command);
  if (what == "export") return export_model(session, command);
  draw_run(session, command);
}

}  // namespace

void run_command(const Program& program, const CommandLine& line) {
  check_command(line.command, line.config);
  check(!communicator() || line.command.name == "train" || line.command.name == "sweep", line.command.name,
        "expected one process, got {}: only the commands train and sweep run on several",
        communicator() ? communicator()->size() : 1);
  if (line.command.name == "rerun") return rerun(program, line.config);
  if (line.command.name == "sweep") return sweep(program, line);
  Session session(program, line.config);
  open_or_train(session, line.command);
  if (is_follower()) return;
  try {
    use_model(session, line.command);
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::cuda) throw;
    throw Error(line.command.name,
                fmt::format("{} failed: {}; the model in {} is complete", session.model().device().text(),
                            error.what(), session.folder().string()),
                ErrorKind::cuda);
  }
}

}  // namespace gpuvae::apps

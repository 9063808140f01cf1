#include "apps/program/commands.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <fstream>

#include "apps/program/export.h"
#include "apps/program/latent_file.h"
#include "apps/program/observed.h"
#include "apps/program/rerun.h"
#include "apps/report/column_figures.h"
#include "apps/report/eval_page.h"
#include "apps/report/figures.h"
#include "apps/run/other_data.h"
#include "apps/run/ranks.h"
#include "apps/run/run_files.h"
#include "apps/run/run_folder.h"
#include "apps/sweep/sweep.h"
#include "kernels/check.h"
#include "src/data/counted.h"
#include "src/data/parts.h"
#include "src/io/file.h"

namespace gpuvae::apps {
namespace {

namespace fs = std::filesystem;

void say_wrote(const fs::path& path) { std::fprintf(stderr, "wrote   %s\n", path.c_str()); }

// The file of --output, or a file of the run folder that no other program wrote.
fs::path output_or(const Session& s, const Command& command, const char* name) {
  if (!command.output.empty()) return command.output;
  const fs::path file = s.folder() / name;
  check_own_file(file, command.name);
  return file;
}

void check_ending(const fs::path& path, const std::vector<std::string>& endings) {
  const std::string ending = path.extension().string();
  check(std::find(endings.begin(), endings.end(), ending) != endings.end(), "write",
        "{}: expected a file ending in {}", path.string(), fmt::join(endings, " or "));
}

// The flags that a command accepts in addition to the settings of the run, and the extensions of its output
// file.
struct Usage {
  std::string name;
  bool images, input, output;
  std::vector<std::string> endings;
};
const Usage kUsages[] = {{"train", false, false, false, {}},
                         {"eval", true, false, true, {".json"}},
                         {"encode", true, true, true, {".csv", ".npy"}},
                         {"decode", false, true, true, {".png", ".csv", ".npy"}},
                         {"reconstruct", true, true, true, {".png", ".csv", ".npy"}},
                         {"sample", false, false, true, {".png", ".csv", ".npy"}},
                         {"manifold", false, false, false, {}},
                         {"explore", false, false, true, {".html"}},
                         {"export", false, false, true, {".onnx", ".h", ".hpp", ".cuh"}},
                         {"rerun", false, false, false, {}},
                         {"sweep", false, false, false, {}}};

// Refuses an output file that would replace the input, the training data or what a run needs to continue.
void check_output(const fs::path& output, const Command& c, const RunConfig& config) {
  std::error_code ignored;
  const fs::path folder = config.out;
  const auto refuse = [&](const fs::path& file, const std::string& what) {
    check(file.empty() || !fs::equivalent(output, file, ignored), "write", "{}: expected a new file, got {}",
          output.string(), what);
  };
  refuse(c.input, "the file of --input");
  refuse(config.data.path, "the data of the run");
  for (const char* name : {kModelFile, kCheckpointFile, kEarlierCheckpointFile, kBestFile, kConfigFile,
                           kMetricsFile, kStepsFile})
    refuse(folder / name, fmt::format("a file that the run in {} needs", folder.string()));
}

// Finds mistakes before the data are read and a model is trained.
void check_command(const Command& c, const RunConfig& config) {
  const auto usage =
      std::find_if(std::begin(kUsages), std::end(kUsages), [&](auto& u) { return u.name == c.name; });
  const auto refuse = [&](bool given, bool taken, const char* flag) {
    check(!given || taken, c.name, "this command does not take {}", flag);
  };
  const Command plain;
  refuse(c.set != plain.set, usage->images, "--set");
  refuse(c.images != plain.images, usage->images, "--images");
  refuse(!c.input.empty(), usage->input, "--input");
  refuse(!c.output.empty(), usage->output, "--output");
  refuse(!c.z.empty(), c.name == "decode", "--z");
  const bool decodes = c.name == "decode" || c.name == "sample" || c.name == "manifold";
  const bool encodes_input = (c.name == "encode" || c.name == "reconstruct") && !c.input.empty();
  check(c.class_name.empty() || decodes || encodes_input, c.name, "this command does not take --class{}",
        c.name == "encode" || c.name == "reconstruct" ? " without --input" : "");
  refuse(!c.given.empty(), decodes, "--given");
  refuse(c.importance_samples != plain.importance_samples, c.name == "eval", "--importance-samples");
  refuse(!c.per_row.empty(), c.name == "eval", "--per-row");
  refuse(!c.format.empty(), c.name == "export", "--format");
  refuse(c.resume, c.name == "train", "--resume");
  refuse(c.impute, c.name == "reconstruct", "--impute");
  refuse(c.grid != plain.grid, c.name == "sweep", "--grid");
  refuse(c.seeds != plain.seeds, c.name == "sweep", "--seeds");
  refuse(c.jobs != plain.jobs, c.name == "sweep", "--jobs");
  check(!c.resume || !c.retrain, c.name, "expected either --resume or --retrain, got both");
  if (c.name == "export") check_export(c);
  if (!c.output.empty()) {
    check_ending(c.output, usage->endings);
    check_output(c.output, c, config);
  }
  if (!c.per_row.empty()) {
    check_ending(c.per_row, {".csv", ".npy"});
    check_output(c.per_row, c, config);
  }
  if (c.name != "decode") return;
  check(c.z.empty() || c.input.empty(), "decode", "expected either --z or --input, got both");
  if (c.input.empty())
    parse_codes(c.z, config.model.latent);
  else
    read_codes(c.input, config.model.latent);
}

void draw_run(const Session& s, const Command& command) {
  const Evaluation e = evaluate(s);
  if (const std::string warning = collapse_warning(e.latent); !warning.empty())
    std::fprintf(stderr, "warning %s\n", warning.c_str());
  const std::vector<float> codes = shown_codes(s);
  std::vector<Figure> figures = all_figures(s, e, codes);
  std::vector<ReportTable> tables;
  if (!s.has_pictures()) {
    const ColumnReport columns = column_report(s);
    figures.insert(figures.end() - 1, column_figure(columns));  // the model's graph is last
    tables.push_back(column_table(columns));
  }
  for (const char* page : {"explorer.html", "report.html"}) check_own_file(s.folder() / page, command.name);
  write_figures(s.folder(), figures);
  io::write_file(s.folder() / "explorer.html", explorer_html(explorer_of(s, codes)), io::Sync::no);
  ReportPage page = report_of(s, e, figures, codes, provenance_of(s, command.text));
  page.tables = std::move(tables);
  io::write_file(s.folder() / "report.html", report_html(page), io::Sync::no);
  std::fprintf(
      stderr,
      "wrote   %s/: report.html, explorer.html, %zu pictures, metrics.csv, config.toml, model.safetensors\n",
      s.folder().c_str(), figures.size());
}

// Writes the scores of each image or row (--per-row).
void write_row_scores(const Session& s, const Command& command, const RowScores& scores) {
  const Dataset images = s.images(command.set, command.images);
  Rows rows;
  std::vector<const std::vector<double>*> columns = {&scores.elbo, &scores.reconstruction, &scores.kl};
  rows.columns = {"elbo", "reconstruction", "kl"};
  if (!scores.log_likelihood.empty()) {
    columns.insert(columns.end(), {&scores.log_likelihood, &scores.effective_samples});
    rows.columns.insert(rows.columns.end(), {"log_likelihood", "effective_samples"});
  }
  for (std::size_t i = 0; i < scores.elbo.size(); ++i)
    for (const std::vector<double>* column : columns) rows.exact.push_back((*column)[i]);
  rows.values.assign(rows.exact.begin(), rows.exact.end());
  rows.labels = images.labels;
  rows.class_names = s.class_names();
  for (std::int64_t i = 0; i < images.count(); ++i) rows.row_numbers.push_back(images.row_number(i));
  write_rows(command.per_row, rows);
  say_wrote(command.per_row);
}

void eval(const Session& s, const Command& command) {
  const Evaluation e = evaluate(s, command.set, command.images, command.importance_samples, true);
  if (const std::string warning = collapse_warning(e.latent); !warning.empty())
    std::fprintf(stderr, "warning %s\n", warning.c_str());
  std::fputs(evaluation_text(s, e).c_str(), stdout);
  const fs::path path = output_or(s, command, "eval.json");
  const Provenance provenance = provenance_of(s, command.text);
  io::write_file(path, evaluation_json(s, e, provenance));
  say_wrote(path);
  if (!command.per_row.empty()) write_row_scores(s, command, e.rows);
  if (!command.output.empty()) return;
  const fs::path page = output_or(s, command, "eval.html");
  io::write_file(page, evaluation_html(s, e, provenance));
  say_wrote(page);
}

GivenCondition given_condition(const Command& command) { return {command.class_name, command.given}; }

// The images that a command works on: those of the run, or those of --input.
Dataset images_of(const Session& s, const Command& command) {
  if (command.input.empty()) return s.images(command.set, command.images);
  const Dataset set = load_input(s.config(), command.input, command.set, s.description());
  Dataset part = set.slice(0, command.images > 0 ? std::min(command.images, set.count()) : set.count());
  if (!command.class_name.empty()) {
    const int number = shown_classes(s, {command.class_name, ""}, command.name.c_str()).front();
    part.labels.assign(static_cast<std::size_t>(part.count()), static_cast<std::uint8_t>(number));
  }
  check(!has_class_condition(s) || !part.labels.empty(), command.name,
        "{}: expected a label for each {} as condition, got none: --class gives all of them one class",
        command.input, s.has_pictures() ? "image" : "row");
  s.check_classes(part, command.name);
  return s.conditioned(part).to(s.model().device());
}

// Says which rows were encoded, because a run without --input encodes only the validation set.
void say_encoded(const Session& s, const Command& command, const Dataset& images) {
  std::string of = command.input;
  if (of.empty())
    of = fmt::format("the {} set",
                     command.set == "train" || (s.validation().count() == 0 && command.set != "test")
                         ? "training"
                         : command.set);
  std::fprintf(stderr, "encoded %s of %s\n",
               counted(images.count(), s.has_pictures() ? "image" : "row").c_str(), of.c_str());
}

void encode(const Session& s, const Command& command) {
  const fs::path path = output_or(s, command, "latent.csv");
  const Dataset images = images_of(s, command);
  Rows rows;
  for (std::int64_t d = 0; d < s.config().model.latent; ++d)
    rows.columns.push_back(fmt::format("z{}", d + 1));
  rows.values =
      encode_all(s.model(), images, s.evaluation(), s.config().pictures.encode == "sample").to_vector();
  rows.labels = images.labels;
  rows.class_names = s.class_names();
  for (std::int64_t i = 0; i < images.count(); ++i) rows.row_numbers.push_back(images.row_number(i));
  write_rows(path, rows);
  say_wrote(path);
  say_encoded(s, command, images);
}

// The columns of decoded rows: those of the table, or x0, x1, ...
std::vector<std::string> decoded_columns(const Session& s) {
  std::vector<std::string> columns = s.feature_description().column_names;
  const auto features = static_cast<std::size_t>(s.model().options().features);
  for (std::size_t i = 0; columns.size() < features; ++i) columns.push_back(fmt::format("x{}", i));
  return columns;
}

// Writes decoded rows as a sheet of images or as numbers, depending on the extension of the path. Rows of a
// table are in the units of its columns. `more` has what the file has besides the decoded values.
void write_decoded(const Session& s, const fs::path& path, std::vector<float> images, Rows more = {}) {
  const DataDescription like = s.feature_description();
  const std::int64_t features = s.model().options().features;
  const auto count = static_cast<int>(static_cast<std::int64_t>(images.size()) / features);
  if (path.extension() == ".png") {
    io::write_png(path, io::image_grid(images, count, like.width, like.height, std::min(count, 20),
                                       {.gap = 2, .background = 40, .zoom = 2}));
  } else {
    Rows rows = std::move(more);
    rows.columns = decoded_columns(s);
    if (!like.standardization.empty() || like.values.scaled) {
      rows.exact = restored(like, images);
      images.assign(rows.exact.begin(), rows.exact.end());
    }
    rows.values = std::move(images);
    write_rows(path, rows);
  }
  say_wrote(path);
}

// A table in the run folder is one that a command wrote if it has the columns of decoded rows.
void check_own_table(const fs::path& path, std::vector<std::string> columns) {
  std::ifstream in(path);
  std::string header;
  const Rows plain{.columns = std::move(columns)};
  Rows with_class = plain;
  with_class.row_classes = {""};
  check(!std::getline(in, header) || header == header_of(plain) || header == header_of(with_class),
        file_error("write"),
        "{}: expected a file of a run, got another one: move it away, or choose another file with --output",
        path.string());
}

fs::path decoded_path(const Session& s, const Command& command, const char* stem) {
  const fs::path path =
      output_or(s, command, fmt::format("{}{}", stem, s.has_pictures() ? ".png" : ".csv").c_str());
  check(s.has_pictures() || path.extension() != ".png", "write",
        "{}: expected a file ending in .csv or .npy for rows of a table", path.string());
  if (command.output.empty() && path.extension() == ".csv") check_own_table(path, decoded_columns(s));
  return path;
}

void decode(const Session& s, const Command& command) {
  const fs::path path = decoded_path(s, command, "decoded");
  const std::int64_t latent = s.config().model.latent;
  const GivenCondition given = given_condition(command);
  check(!has_class_condition(s) || !given.class_name.empty(), "decode",
        "expected --class for a model of --condition label, got none");
  const Tensor y = condition_rows(s, {shown_classes(s, given, "decode").front()}, given, "decode");
  write_decoded(
      s, path,
      decode_all(s.model(),
                 command.input.empty() ? parse_codes(command.z, latent) : read_codes(command.input, latent),
                 y));
}

// Replaces the decoded values, [images, features], by those of the data where the data have a value. The rows
// of the data may have further columns, those of the condition.
void keep_observed(const Dataset& images, std::int64_t features, std::vector<float>& decoded) {
  data::for_parts(images, [&](const Tensor& part, std::int64_t first) {
    const std::int64_t rows = part.shape()[0], columns = part.shape()[1];
    for (std::int64_t row = 0; row < rows; ++row)
      for (std::int64_t c = 0; c < features; ++c)
        if (const float x = part.data_as<float>()[row * columns + c]; !std::isnan(x))
          decoded[static_cast<std::size_t>((first + row) * features + c)] = x;
  });
}

void reconstruct(const Session& s, const Command& command) {
  const fs::path path = decoded_path(s, command, "reconstructions");
  check(!command.impute || (s.model().options().missing_values && path.extension() != ".png"), "reconstruct",
        "--impute expects rows of numbers of a model with --missing-values, got {}",
        path.extension() == ".png" ? "pictures" : "a model without");
  const Dataset images = images_of(s, command);
  if (path.extension() == ".png") {
    const int count = static_cast<int>(std::min<std::int64_t>(
        images.count(), command.images > 0 ? command.images : s.config().pictures.reconstructions));
    io::write_png(path, reconstructions(s.model(), images, count, s.evaluation().data));
    return say_wrote(path);
  }
  std::vector<float> decoded = reconstruct_all(s.model(), images, s.evaluation()).to_vector();
  if (!command.impute) return write_decoded(s, path, std::move(decoded));
  keep_observed(images, s.model().options().features, decoded);
  write_decoded(s, path, std::move(decoded), {.observed = observed_values(s, command.input, images)});
}

void sample(const Session& s, const Command& command) {
  const fs::path path = decoded_path(s, command, "samples");
  const int count = s.config().pictures.samples;
  const GivenCondition given = given_condition(command);
  const std::vector<int> shown = shown_classes(s, given, "sample");
  std::vector<int> classes;
  for (int i = 0; i < count; ++i) classes.push_back(shown[static_cast<std::size_t>(i) % shown.size()]);
  const Tensor y = condition_rows(s, classes, given, "sample");
  if (path.extension() == ".png") {
    io::write_png(path, prior_samples(s.model(), count, s.config().seed, s.description().height,
                                      s.description().width, y));
    return say_wrote(path);
  }
  Rows more;
  const std::vector<std::string> names = condition_class_names(s);
  for (const int number : classes)
    if (!names.empty()) more.row_classes.push_back(names[static_cast<std::size_t>(number)]);
  write_decoded(s, path, s.model().sample_prior(count, s.config().seed, y).mean.to_vector(), std::move(more));
}

void manifold(const Session& s, const Command& command) {
  if (!s.has_pictures())
    throw Error("manifold", "expected images, got rows of a table, which have no grid of pictures");
  for (const Grid& grid : parse_grids(s.config().pictures.manifold))
    if (grid.kind == GridKind::data && !s.has_data())
      throw Error("manifold",
                  "expected the data of the model for the grid data, got none: --manifold quantile or linear "
                  "need no data");
  const GivenCondition given = given_condition(command);
  const std::vector<Figure> figures =
      manifold_figures(s, shown_codes(s), shown_classes(s, given, "manifold"), given);
  write_figures(s.folder(), figures);
  for (const Figure& f : figures) say_wrote(s.folder() / f.file);
}

void explore(const Session& s, const Command& command) {
  const fs::path path = output_or(s, command, "explorer.html");
  io::write_file(path, explorer_html(explorer_of(s, shown_codes(s))));
  say_wrote(path);
}

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

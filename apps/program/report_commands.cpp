#include "apps/program/report_commands.h"

#include <cstdio>

#include "apps/program/latent_file.h"
#include "apps/program/output.h"
#include "apps/report/column_figures.h"
#include "apps/report/condition.h"
#include "apps/report/eval_page.h"
#include "apps/report/figures.h"
#include "apps/run/run_files.h"
#include "src/io/file.h"

namespace gpuvae::apps {
namespace {

namespace fs = std::filesystem;

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

}  // namespace

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

void manifold(const Session& s, const Command& command) {
  if (!s.has_pictures())
    throw Error("manifold", "expected images, got rows of a table, which have no grid of pictures");
  for (const Grid& grid : parse_grids(s.config().pictures.manifold))
    if (grid.kind == GridKind::data && !s.has_data())
      throw Error("manifold",
                  "expected the data of the model for the grid data, got none: --manifold quantile or linear "
                  "need no data");
  const GivenCondition given{command.class_name, command.given};
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

}  // namespace gpuvae::apps

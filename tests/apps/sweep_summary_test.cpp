// Tests the statistics of a sweep: quantiles against tables, and groups, means and the best setting.
#include <gtest/gtest.h>

#include <sstream>

#include "apps/sweep/summary.h"
#include "apps/sweep/sweep_page.h"
#include "tests/temporary_folder.h"

namespace gpuvae::apps {
namespace {

using test::error_of;
using Strings = std::vector<std::string>;

// Quantiles for p = 0.975 by degrees of freedom, from tables to three decimals.
TEST(StudentT, AgreesWithTables) {
  const std::pair<std::size_t, double> kTable[] = {{1, 12.706}, {2, 4.303},  {3, 3.182},  {4, 2.776},
                                                   {5, 2.571},  {9, 2.262},  {10, 2.228}, {19, 2.093},
                                                   {20, 2.086}, {30, 2.042}, {99, 1.984}, {100'000, 1.960}};
  for (const auto& [degrees, t] : kTable) EXPECT_NEAR(student_t_quantile(0.975, degrees), t, 6e-4) << degrees;
  EXPECT_NEAR(student_t_quantile(0.95, 1), 6.314, 6e-4);
  EXPECT_NEAR(student_t_quantile(0.995, 4), 4.604, 6e-4);
  EXPECT_NEAR(student_t_quantile(0.5, 7), 0, 1e-9);
  for (const double p : {0.4, 1.0, std::nan("")}) EXPECT_NE(error_of([&] { student_t_quantile(p, 3); }), "");
  EXPECT_NE(error_of([] { student_t_quantile(0.975, 0); }), "");
}

TEST(Estimate, IsMeanAndInterval) {
  const Estimate two = estimate(std::vector<double>{1, 3});
  EXPECT_EQ(two.mean, 2);
  EXPECT_NEAR(two.half_width, 12.7062 * std::sqrt(2.0) / std::sqrt(2.0), 1e-3);
  // The standard deviation of 1, ..., 5 is sqrt(2.5).
  const Estimate five = estimate(std::vector<double>{1, 2, 3, 4, 5});
  EXPECT_EQ(five.count, 5u);
  EXPECT_NEAR(five.half_width, 2.776445 * std::sqrt(2.5 / 5), 1e-5);
  const Estimate one = estimate(std::vector<double>{7});
  EXPECT_EQ(one.mean, 7);
  EXPECT_TRUE(std::isnan(one.half_width));
  EXPECT_TRUE(std::isnan(estimate({}).mean));
}

// A finished run of two epochs whose last validation has the reconstruction term `reconstruction` and KL 10.
FinishedRun finished(const GridPoint& point, std::uint64_t seed, double reconstruction,
                     double validation = 100) {
  Texts texts = {{"--seed", std::to_string(seed)}, {"--epochs", "2"}};
  for (const auto& [key, value] : point) texts["--" + key] = value;
  FinishedRun run{
      run_name(point, seed), config_of_texts(texts, "test", "mnist_vae", mnist_presets()), {}, {}};
  run.data.validation_count = static_cast<std::int64_t>(validation);
  const double beta = run.config.training.beta;
  for (int epoch = 1; epoch <= 2; ++epoch) {
    EpochResult r;
    r.epoch = epoch;
    r.validation = {reconstruction + 10 * beta, reconstruction, 10};
    r.train = {reconstruction + 1 + 9 * beta, reconstruction + 1, 9};
    r.train_seconds = 1.5;
    run.epochs.push_back(r);
  }
  return run;
}

PlannedRun planned(const GridPoint& point, std::uint64_t seed) {
  const FinishedRun run = finished(point, seed, 0);
  return {run.name, {}, run.config};
}

// The fields of a row of sweep.csv, by column. Values in quotes are not needed here.
std::map<std::string, std::string> csv_row(const std::string& csv, std::size_t row) {
  std::istringstream in(csv);
  std::vector<std::string> lines;
  for (std::string line; std::getline(in, line);)
    if (line[0] != '#') lines.push_back(line);
  const auto fields = [](const std::string& line) {
    Strings all;
    std::istringstream of_line(line + ",");
    for (std::string field; std::getline(of_line, field, ',');) all.push_back(field);
    return all;
  };
  std::map<std::string, std::string> result;
  const Strings columns = fields(lines.at(0)), values = fields(lines.at(row + 1));
  EXPECT_EQ(columns.size(), values.size());
  for (std::size_t c = 0; c < columns.size(); ++c) result[columns[c]] = values[c];
  return result;
}

TEST(SweepSummary, GroupsRunsByTheirSettings) {
  const std::vector<GridKey> grid = {{"latent", {"2", "10"}}};
  const std::vector<FinishedRun> runs = {
      finished({{"latent", "10"}}, 0, 90), finished({{"latent", "10"}}, 1, 94),
      finished({{"latent", "2"}}, 0, 100), finished({{"latent", "2"}}, 1, 105)};
  const SweepSummary s = summarize(grid, runs, {});
  EXPECT_EQ(s.keys, Strings{"latent"});
  ASSERT_EQ(s.settings.size(), 2u);
  EXPECT_EQ(s.settings[0].name(s.keys), "latent=2");  // in the order of the grid
  const std::string csv = summary_csv(s, "mnist_vae", "nats/image");
  EXPECT_TRUE(csv.starts_with(kSweepMark));
  auto row = csv_row(csv, 1);
  EXPECT_EQ(row["latent"], "10");
  EXPECT_EQ(row["runs"], "2");
  EXPECT_EQ(row["failed"], "");
  EXPECT_NEAR(std::stod(row["val_loss"]), 102, 1e-9);
  EXPECT_NEAR(std::stod(row["val_loss_interval"]), 12.7062 * 2, 1e-3);
  EXPECT_NEAR(std::stod(row["val_kl"]), 10, 1e-9);
  EXPECT_NEAR(std::stod(row["val_kl_interval"]), 0, 1e-9);
  EXPECT_NEAR(std::stod(row["train_loss"]), 102, 1e-9);
  EXPECT_NEAR(std::stod(row["train_seconds"]), 3, 1e-9);
  ASSERT_TRUE(s.best);
  EXPECT_EQ(s.best->best->name(s.keys), "latent=10");
  EXPECT_NEAR(s.best->difference.mean, 10.5, 1e-9);
  EXPECT_NEAR(s.best->difference.half_width, 12.7062 * 0.5, 1e-3);
  EXPECT_NE(best_text(s, "nats/image").find("latent=2 is 10.50 \u00B1 6.35 higher"), std::string::npos);
  EXPECT_EQ(best_text(s, "nats/image").find("chance"), std::string::npos);
}

TEST(SweepSummary, SaysWhenADifferenceMayBeChance) {
  const std::vector<FinishedRun> runs = {
      finished({{"latent", "10"}}, 0, 90), finished({{"latent", "10"}}, 1, 94),
      finished({{"latent", "2"}}, 0, 95), finished({{"latent", "2"}}, 1, 92)};
  EXPECT_NE(best_text(summarize({}, runs, {}), "").find("which may be chance"), std::string::npos);
}

// The third seed, which is the best for one setting, failed for the other.
TEST(SweepSummary, RanksSettingsByTheSeedsThatAllOfThemHave) {
  const GridPoint two{{"latent", "2"}}, ten{{"latent", "10"}};
  std::vector<FinishedRun> runs;
  for (const auto& [seed, loss] : {std::pair(0, 100.0), std::pair(1, 102.0), std::pair(2, 60.0)})
    runs.push_back(finished(two, static_cast<std::uint64_t>(seed), loss));
  for (const auto& [seed, loss] : {std::pair(0, 99.0), std::pair(1, 101.0)})
    runs.push_back(finished(ten, static_cast<std::uint64_t>(seed), loss));
  const SweepSummary summary = summarize({{"latent", {"2", "10"}}}, runs, {});
  ASSERT_TRUE(summary.best);
  EXPECT_EQ(summary.best->best->values, Strings{"10"});
  EXPECT_NEAR(summary.best->difference.mean, 1, 1e-9);
}

TEST(SweepSummary, ComparesReconstructionPlusKlIfBetaDiffers) {
  // The loss of beta 0.5 is 103 + 5, that of beta 2 is 100 + 20.
  const std::vector<FinishedRun> runs = {finished({{"beta", "0.5"}}, 0, 103),
                                         finished({{"beta", "2"}}, 0, 100)};
  const SweepSummary s = summarize({{"beta", {"0.5", "2"}}}, runs, {});
  ASSERT_TRUE(s.best);
  EXPECT_STREQ(s.criterion->column, "val_reconstruction_plus_kl");
  EXPECT_EQ(s.best->best->name(s.keys), "beta=2");
  EXPECT_TRUE(std::isnan(estimate_of(s.settings[0], *s.criterion).half_width));
  EXPECT_EQ(csv_row(summary_csv(s, "mnist_vae", ""), 0)["val_loss_interval"], "");
}

// The bound of iwae is tighter by construction, so that its loss says nothing about the model.
TEST(SweepSummary, ComparesReconstructionPlusKlIfTheObjectiveDiffers) {
  const auto criterion = [](const GridPoint& a, const GridPoint& b) {
    std::vector<FinishedRun> runs = {finished(a, 0, 100), finished(b, 0, 103)};
    runs[1].epochs.back().validation.loss = 90;
    const SweepSummary s = summarize({}, runs, {});
    EXPECT_TRUE(s.best);
    EXPECT_EQ(s.best->best->runs.front(), s.criterion_note.empty() ? &runs[1] : &runs[0]);
    EXPECT_EQ(report_html(sweep_page(s, {})).find("Settings are compared by") != std::string::npos,
              !s.criterion_note.empty());
    EXPECT_EQ(summary_text(s, "").find(s.criterion_note) != std::string::npos, true);
    EXPECT_EQ(summary_csv(s, "vae", "").find(s.criterion_note) != std::string::npos, true);
    return std::string(s.criterion->column);
  };
  const std::string sum = "val_reconstruction_plus_kl";
  EXPECT_EQ(criterion({{"objective", "elbo"}}, {{"objective", "iwae"}, {"objective-samples", "5"}}), sum);
  EXPECT_EQ(criterion({{"objective", "iwae"}, {"objective-samples", "2"}},
                      {{"objective", "iwae"}, {"objective-samples", "50"}}),
            sum);
  EXPECT_EQ(criterion({{"objective", "ciwae"}, {"objective-mix", "0.1"}},
                      {{"objective", "ciwae"}, {"objective-mix", "0.9"}}),
            sum);
  EXPECT_EQ(criterion({{"objective-samples", "1"}}, {{"objective-samples", "5"}}), "val_loss");
}

TEST(SweepSummary, NamesNoBestSettingIfLossesAreNotComparable) {
  const auto why = [](const char* key, const char* a, const char* b) {
    const std::vector<FinishedRun> runs = {finished({{key, a}}, 0, 100), finished({{key, b}}, 0, 90)};
    const SweepSummary s = summarize({{key, {a, b}}}, runs, {});
    EXPECT_FALSE(s.best && !s.why_no_best.empty());
    return s.best ? "" : best_text(s, "");
  };
  EXPECT_NE(why("likelihood", "bernoulli", "gaussian").find("--likelihood differs"), std::string::npos);
  EXPECT_EQ(why("likelihood", "laplace", "gaussian"), "");
  EXPECT_EQ(why("likelihood", "poisson", "negative-binomial"), "");
  EXPECT_NE(why("likelihood", "poisson", "gaussian").find("--likelihood differs"), std::string::npos);
  EXPECT_NE(why("split-seed", "1", "2").find("--split-seed differs"), std::string::npos);
  EXPECT_NE(why("pixel-mean", "true", "false").find("--pixel-mean differs"), std::string::npos);
  EXPECT_NE(why("binarize", "none", "threshold").find("--binarize differs"), std::string::npos);
  EXPECT_NE(why("validation-images", "100", "200").find("--validation-images differs"), std::string::npos);
  EXPECT_NE(why("condition", "label", "").find("--condition differs"), std::string::npos);
  EXPECT_NE(why("missing-values", "true", "false").find("--missing-values differs"), std::string::npos);
  EXPECT_EQ(why("train-images", "100", "200"), "");
  EXPECT_EQ(why("free-bits", "0", "1"), "");
}

TEST(SweepSummary, UsesTrainingLossesWithoutValidationData) {
  const std::vector<FinishedRun> runs = {finished({{"latent", "2"}}, 0, 100, 0),
                                         finished({{"latent", "3"}}, 0, 90, 0)};
  const SweepSummary s = summarize({}, runs, {});
  ASSERT_TRUE(s.best);
  EXPECT_STREQ(s.criterion->column, "train_loss");
  auto row = csv_row(summary_csv(s, "mnist_vae", ""), 0);
  EXPECT_EQ(row["val_loss"], "");
  EXPECT_EQ(row["train_loss"], "110");
}

TEST(SweepSummary, KeepsSettingsWhoseRunsFailed) {
  const PlannedRun bad = planned({{"learning-rate", "1e9"}}, 4),
                   good = planned({{"learning-rate", "0.001"}}, 1);
  const std::vector<FinishedRun> runs = {finished({{"learning-rate", "0.001"}}, 0, 100)};
  const SweepSummary s =
      summarize({{"learning-rate", {"1000000000", "0.001"}}}, runs, {{&bad, true}, {&good, false}});
  ASSERT_EQ(s.settings.size(), 2u);
  auto row = csv_row(summary_csv(s, "mnist_vae", ""), 0);
  EXPECT_EQ(row["runs"], "0");
  EXPECT_EQ(row["failed"], "4");
  EXPECT_EQ(row["val_loss"], "");
  EXPECT_NE(summary_text(s, "nats/image").find("failed: seed 4"), std::string::npos);
  EXPECT_EQ(csv_row(summary_csv(s, "mnist_vae", ""), 1)["failed"], "");
  ASSERT_TRUE(s.best);
  EXPECT_EQ(s.best->next, nullptr);
}

// Runs of two sweeps in one folder: the settings in which they differ become columns, and the same run under
// two names counts once.
TEST(SweepSummary, JoinsRunsOfSeveralGrids) {
  FinishedRun narrow = finished({{"beta", "2"}}, 0, 100);
  narrow.config.model.encoder_widths = {16};
  const std::vector<FinishedRun> runs = {narrow, finished({{"beta", "1"}}, 0, 90),
                                         finished({{"latent", "2"}}, 0, 90),
                                         finished({{"latent", "5"}}, 0, 80)};
  const SweepSummary s = summarize({{"latent", {"2", "5"}}}, runs, {});
  EXPECT_EQ(s.keys, (Strings{"latent", "beta", "hidden"}));
  ASSERT_EQ(s.settings.size(), 3u);
  for (const SweepSetting& setting : s.settings) EXPECT_EQ(setting.runs.size(), 1u);
}

// Settings that follow from a preset or an optimiser need no columns.
TEST(SweepSummary, LeavesOutWhatFollowsFromAPreset) {
  const std::vector<FinishedRun> presets = {finished({{"preset", "keras-mnist"}}, 0, 1),
                                            finished({{"preset", "tf-mnist"}}, 0, 2)};
  EXPECT_EQ(summarize({}, presets, {}).keys, Strings{"preset"});
  const std::vector<FinishedRun> optimizers = {finished({{"optimizer", "sgd"}}, 0, 1),
                                               finished({{"optimizer", "adam"}}, 0, 2)};
  EXPECT_EQ(summarize({}, optimizers, {}).keys, Strings{"optimizer"});
}

TEST(SweepPage, ShowsTablesChartsAndFailures) {
  const std::vector<FinishedRun> runs = {finished({{"data", "a/b.npy"}}, 0, 90),
                                         finished({{"data", "a/b.npy"}}, 1, 91)};
  const SweepFacts facts{"vae", "some <data>", "nats/row", "vae sweep", {{"data=x,seed=3", "[read] x: gone"}},
                         2};
  const std::string page = report_html(sweep_page(summarize({}, runs, {}), facts));
  for (const char* part : {"some &lt;data&gt;", "data=x,seed=3 failed: [read] x: gone", "2 runs not finished",
                           "data=a%2Fb.npy,seed=0", "href=\"data=a%252Fb.npy,seed=0/report.html\"",
                           "100.50 \u00B1 6.35", "Validation loss"})
    EXPECT_NE(page.find(part), std::string::npos) << part;
}

TEST(SweepPage, NeedsNoFinishedRun) {
  const PlannedRun bad = planned({{"latent", "3"}}, 4);
  const SweepFacts facts{"vae", "data", "nats/row", "vae sweep", {{bad.name, "why"}}, 0};
  const SweepSummary summary = summarize({{"latent", {"3"}}}, {}, {{&bad, true}});
  EXPECT_NE(report_html(sweep_page(summary, facts)).find("0, 1 failed"), std::string::npos);
  EXPECT_EQ(best_text(summary, ""), "");
}

}  // namespace
}  // namespace gpuvae::apps

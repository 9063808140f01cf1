// Tests the grammar of --grid and --seeds, and the runs that a command line plans.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <set>

#include "apps/sweep/assignment.h"
#include "apps/sweep/plan.h"
#include "tests/temporary_folder.h"

namespace gpuvae::apps {
namespace {

using test::error_of;
using Seeds = std::vector<std::uint64_t>;
using Strings = std::vector<std::string>;

Program program() { return {"mnist_vae", "", mnist_presets(), {}, "digit"}; }

// Plans a sweep of mnist_vae.
SweepPlan plan(Strings arguments) {
  arguments.insert(arguments.begin(), {"mnist_vae", "sweep"});
  std::vector<char*> argv;
  for (std::string& argument : arguments) argv.push_back(argument.data());
  const CommandLine line =
      parse_command_line(static_cast<int>(argv.size()), argv.data(), "mnist_vae", "", mnist_presets());
  if (line.exit_code >= 0) throw Error("parse", line.error);
  return plan_sweep(program(), line);
}

void expect_plan_error(const Strings& terms, const std::string& part) {
  const std::string error = error_of([&] { static_cast<void>(parse_grid(terms)); });
  EXPECT_NE(error.find(part), std::string::npos) << error;
}

TEST(SweepGrid, ReadsKeysAndValues) {
  const std::vector<GridKey> grid = parse_grid({"beta=0.5,1,2", "latent=2,10", "hidden=256;512,256"});
  ASSERT_EQ(grid.size(), 3u);
  EXPECT_EQ(grid[0].key, "beta");
  EXPECT_EQ(grid[0].values, (Strings{"0.5", "1", "2"}));
  EXPECT_EQ(grid[1].values, (Strings{"2", "10"}));
  EXPECT_EQ(grid[2].values, (Strings{"256", "512,256"}));
  EXPECT_TRUE(parse_grid({}).empty());
}

TEST(SweepGrid, WritesValuesAsConfigurationFilesDo) {
  EXPECT_EQ(parse_grid({"beta=0.50,+1,1e-3"})[0].values, (Strings{"0.5", "1", "0.001"}));
  EXPECT_EQ(parse_grid({"--latent=010"})[0].values, Strings{"10"});
  EXPECT_EQ(parse_grid({"batch-sum=true,false"})[0].values, (Strings{"true", "false"}));
  EXPECT_EQ(parse_grid({"hidden=128,256"})[0].values, (Strings{"128", "256"}));
}

TEST(SweepGrid, RefusesMistakes) {
  expect_plan_error({"speed=1,2"}, "--grid speed: expected the name of a setting");
  expect_plan_error({"beta=fast"}, "--grid beta: expected a number, got fast");
  expect_plan_error({"beta=1,-1"}, "--grid beta: expected 0 or more, got -1");
  expect_plan_error({"latent=2.5"}, "--grid latent: expected a whole number, got 2.5");
  expect_plan_error({"optimizer=adam,best"}, "--grid optimizer: expected one of");
  expect_plan_error({"beta=1,0.5,1.0"}, "--grid beta: expected different values, got 1 twice");
  expect_plan_error({"beta=1", "latent=2", "beta=2"}, "--grid: expected different settings, got beta twice");
  for (const char* term : {"beta=", "beta=1,", "beta=,1", "beta=1,,2"})
    expect_plan_error({term}, "--grid beta: expected values with a comma between them");
  expect_plan_error({"hidden=256;"}, "--grid hidden: expected values with a semicolon between them");
  for (const char* term : {"beta", "=1", ""})
    expect_plan_error({term}, "--grid: expected NAME=VALUE,VALUE,...");
  expect_plan_error({"seed=1,2"}, "--seeds lists the seeds");
  expect_plan_error({"out=a,b"}, "the sweep names the folders");
  expect_plan_error({"threads=1,2"}, "--threads applies to all runs");
}

TEST(SweepSeeds, ReadsRangesAndLists) {
  EXPECT_EQ(parse_seeds("0..4"), (Seeds{0, 1, 2, 3, 4}));
  EXPECT_EQ(parse_seeds("7"), Seeds{7});
  EXPECT_EQ(parse_seeds("3..3"), Seeds{3});
  EXPECT_EQ(parse_seeds("9,0..2,5"), (Seeds{9, 0, 1, 2, 5}));
  EXPECT_EQ(parse_seeds("18446744073709551614..18446744073709551615"),
            (Seeds{18446744073709551614u, 18446744073709551615u}));
}

TEST(SweepSeeds, RefusesMistakes) {
  for (const char* text : {"", "a", "1,", ",1", "0..", "..3", "1.5", "-1", "0...2", "0..1..2", " 1", "1 2",
                           "18446744073709551616"}) {
    const std::string error = error_of([&] { static_cast<void>(parse_seeds(text)); });
    EXPECT_NE(error.find("--seeds: expected"), std::string::npos) << "'" << text << "': " << error;
  }
  EXPECT_NE(error_of([] { static_cast<void>(parse_seeds("4..0")); }).find("ascending"), std::string::npos);
  EXPECT_NE(error_of([] { static_cast<void>(parse_seeds("0..2,1")); }).find("got 1 twice"),
            std::string::npos);
  EXPECT_NE(error_of([] { static_cast<void>(parse_seeds("0..18446744073709551615")); }).find("at most"),
            std::string::npos);
}

TEST(SweepNames, AreNamesOfFiles) {
  EXPECT_EQ(run_name({{"beta", "0.5"}, {"latent", "2"}}, 3), "beta=0.5,latent=2,seed=3");
  EXPECT_EQ(run_name({}, 12), "seed=12");
  EXPECT_EQ(run_name({{"data", "../a b/c%.csv"}}, 0), "data=..%2Fa%20b%2Fc%25.csv,seed=0");
  EXPECT_EQ(run_name({{"hidden", "512,256"}, {"beta", "1"}}, 0), "hidden=512,256,beta=1,seed=0");
}

TEST(SweepNames, ContainTheirKeys) {
  EXPECT_EQ(keys_of_name("beta=0.5,latent=2,seed=3"), (Strings{"beta", "latent"}));
  EXPECT_EQ(keys_of_name("hidden=512,256,beta=1,seed=0"), (Strings{"hidden", "beta"}));
  EXPECT_TRUE(keys_of_name("seed=3").empty());
  EXPECT_TRUE(keys_of_name("beta=0.5").empty());
  EXPECT_TRUE(keys_of_name("previous").empty());
}

TEST(SweepPlan, TrainsEveryCombinationWithEverySeed) {
  const SweepPlan p =
      plan({"--seeds", "0..2", "--grid", "beta=0.5,1", "latent=2,10", "--epochs", "4", "--out", "s"});
  ASSERT_EQ(p.runs.size(), 12u);
  EXPECT_EQ(p.runs[0].name, "beta=0.5,latent=2,seed=0");
  EXPECT_EQ(p.runs[1].name, "beta=0.5,latent=10,seed=0");
  EXPECT_EQ(p.runs[4].name, "beta=0.5,latent=2,seed=1");
  EXPECT_EQ(p.runs[11].name, "beta=1,latent=10,seed=2");
  std::set<std::string> names;
  for (const PlannedRun& run : p.runs) {
    names.insert(run.name);
    EXPECT_EQ(run.config.out, "s/" + run.name);
    EXPECT_EQ(run.config.epochs, 4);
    EXPECT_EQ(run.config.threads, 1);
  }
  EXPECT_EQ(names.size(), 12u);
  EXPECT_EQ(p.runs[11].config.training.beta, 1);
  EXPECT_EQ(p.runs[11].config.model.latent, 10);
  EXPECT_EQ(p.runs[11].config.seed, 2u);
}

TEST(SweepPlan, HasDefaults) {
  const SweepPlan p = plan({"--preset", "keras-mnist", "--seed", "7"});
  EXPECT_EQ(p.folder, "runs/mnist_vae-keras-mnist-sweep");
  ASSERT_EQ(p.runs.size(), 1u);
  EXPECT_EQ(p.runs[0].name, "seed=7");
  EXPECT_EQ(plan({"--threads", "3"}).runs[0].config.threads, 3);
}

// A preset or an optimiser of the grid decides the settings that are not given, as on a command line.
TEST(SweepPlan, AppliesPresetsAndOptimisersAsFlagsDo) {
  const SweepPlan presets = plan({"--grid", "preset=keras-mnist,tf-mnist", "--beta", "3"});
  EXPECT_EQ(presets.runs[0].config.model.latent, 2);
  EXPECT_EQ(presets.runs[1].config.model.latent, 100);
  EXPECT_EQ(presets.runs[1].config.training.beta, 3);
  const SweepPlan optimizers = plan({"--grid", "optimizer=sgd,adam"});
  EXPECT_EQ(optimizers.runs[0].config.optimizer.learning_rate,
            OptimizerOptions::defaults(OptimizerKind::sgd).learning_rate);
  EXPECT_EQ(optimizers.runs[1].config.optimizer.learning_rate,
            OptimizerOptions::defaults(OptimizerKind::adam).learning_rate);
}

TEST(SweepPlan, RefusesContradictions) {
  const auto error = [](Strings arguments) { return error_of([&] { static_cast<void>(plan(arguments)); }); };
  EXPECT_NE(error({"--seeds", "0..1", "--seed", "3"}).find("either --seed or --seeds"), std::string::npos);
  EXPECT_NE(error({"--grid", "beta=1,2", "--beta", "3"}).find("either --beta or a list of --grid"),
            std::string::npos);
  EXPECT_NE(error({"--grid", "preset=keras-mnist,unknown"}).find("expected one of default"),
            std::string::npos);
  EXPECT_NE(error({"--epochs", "0"}).find("expected --epochs of 1 or more"), std::string::npos);
  EXPECT_NE(error({"--seeds", "0..99999", "--grid", "beta=1,2"}).find("at most 100000 runs"),
            std::string::npos);
  EXPECT_NE(error({"--grid", "latent-names=" + std::string(300, 'x')}).find("at most 255 characters"),
            std::string::npos);
}

// Returns "run:rank" for each place.
std::string places(const std::vector<Assignment::Place>& all) {
  std::string text;
  for (const Assignment::Place& p : all) text += fmt::format(" {}:{}", p.run, p.rank);
  return text;
}

TEST(SweepAssignment, GivesEachRunToTheRankWithTheMostFreePlaces) {
  Assignment assignment(9, {1, 3, 2});
  EXPECT_EQ(places(assignment.assign()), " 0:1 1:1 2:2 3:0 4:1 5:2");
  EXPECT_EQ(places(assignment.assign()), "");
  assignment.end({2, 2});
  assignment.end({1, 1});
  assignment.end({4, 1});
  EXPECT_EQ(places(assignment.active()), " 0:1 3:0 5:2");
  EXPECT_TRUE(assignment.has_waiting());
  EXPECT_EQ(places(assignment.assign()), " 6:1 7:1 8:2");
  EXPECT_FALSE(assignment.has_waiting());
  for (const Assignment::Place& place : std::vector(assignment.active())) assignment.end(place);
  EXPECT_TRUE(assignment.active().empty());
  EXPECT_EQ(places(assignment.assign()), "");
}

TEST(SweepAssignment, OneProcessTrainsAllRunsInOrder) {
  Assignment assignment(3, {2});
  EXPECT_EQ(places(assignment.assign()), " 0:0 1:0");
  assignment.end({1, 0});
  EXPECT_EQ(places(assignment.assign()), " 2:0");
  EXPECT_EQ(places(Assignment(0, {4}).assign()), "");
}

}  // namespace
}  // namespace gpuvae::apps

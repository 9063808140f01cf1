// Rounds of a comparison, and the state of the machine that they record.
#include "bench/rounds.h"

#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <random>

#include "bench/machine_state.h"
#include "gpuvae/error.h"
#include "tests/temporary_folder.h"

namespace gpuvae::bench {
namespace {

using test::TemporaryFolder;

TEST(Rounds, RotateTheOrderAndCompareWithinARound) {
  std::string order;
  const auto side = [&](char name, double seconds) {
    return Timer([&order, name, seconds] {
      order += name;
      return seconds * static_cast<double>(order.size());  // the machine gets slower and slower
    });
  };
  const Rounds rounds = run_rounds({side('a', 3), side('b', 2), side('c', 1)}, {.most = 4, .budget = 60});
  EXPECT_EQ(order, "abcbcacababc");
  ASSERT_EQ(rounds.count(), 4);
  EXPECT_EQ(rounds.seconds[0], (std::vector<double>{3, 18, 24, 30}));
  EXPECT_EQ(rounds.ratios(0, 1), (std::vector<double>{0.75, 2.25, 24.0 / 18, 30.0 / 22}));
  EXPECT_EQ(rounds.compare(0, 1).verdict, Verdict::undecided);  // too few rounds for an interval
}

TEST(Rounds, StopWhenAllRatiosAreKnown) {
  std::mt19937_64 generator(1);
  std::normal_distribution<double> normal;
  const auto side = [&](double seconds, double spread) {
    return Timer(
        [&generator, &normal, seconds, spread] { return seconds * std::exp(spread * normal(generator)); });
  };
  const Rounds quiet = run_rounds({side(2, 0.002), side(1, 0.002)}, {.budget = 60});
  EXPECT_LE(quiet.count(), 14);  // 7, unless the first values look correlated by chance
  const Comparison c = quiet.compare(0, 1);
  EXPECT_EQ(c.verdict, Verdict::faster);
  EXPECT_NEAR(c.ratio, 2, 0.02);
  EXPECT_EQ(c.text().substr(0, 8), "faster: ");
  EXPECT_EQ(quiet.compare(1, 0).verdict, Verdict::slower);

  const Rounds loud = run_rounds({side(1, 0.03), side(1, 0.03), side(1, 0.4)}, {.most = 100, .budget = 60});
  EXPECT_EQ(loud.count(), 100);  // one of the two ratios stays unknown
  EXPECT_EQ(run_rounds({side(1, 0.4), side(1, 0.4)}, {.budget = 0}).count(), 3);  // the time is up
  EXPECT_EQ(run_rounds({side(1, 0.1)}, {.most = 20, .budget = 60}).count(), 20);
}

TEST(Rounds, RefuseTimesOfAClockThatDoesNotRun) {
  for (const double seconds : {0.0, -1.0, static_cast<double>(NAN), static_cast<double>(INFINITY)}) {
    try {
      run_rounds({[=] { return seconds; }}, {});
      ADD_FAILURE() << seconds;
    } catch (const Error& error) {
      EXPECT_NE(std::string(error.what()).find("the clock does not run"), std::string::npos) << error.what();
    }
  }
}

// Writes files as the kernel shows them: in all, the system has two processors with the same counts.
void write_counts(const TemporaryFolder& root, int user, int steal, double load) {
  std::filesystem::create_directories(root / "proc");
  std::ofstream stat(root / "proc/stat");
  stat << "cpu  999999 0 0 0 0 0 0 999999 0 0\n";
  for (int i = 0; i < 1024; ++i) stat << "cpu" << i << " " << user << " 1 2 5000 7 3 4 " << steal << " 0 0\n";
  stat << "intr 1 2 3\n";
  std::ofstream(root / "proc/loadavg") << load << " 0.50 0.25 1/100 4242\n";
}

TEST(MachineState, ReadsTheCountersOfTheUsableProcessors) {
  const TemporaryFolder root;
  write_counts(root, 1000, 50, 1.25);
  const MachineSnapshot s = take_snapshot(root.path());
  const double tick = 0.01;  // sysconf(_SC_CLK_TCK) is 100 on Linux
  ASSERT_GE(s.processors, 1);
  EXPECT_NEAR(s.busy, tick * (1000 + 1 + 2 + 3 + 4) * s.processors, 1e-9);
  EXPECT_NEAR(s.steal, tick * 50 * s.processors, 1e-9);
  EXPECT_EQ(s.load, 1.25);
  EXPECT_EQ(s.megahertz, -1);
  EXPECT_GT(s.own, 0);

  for (int i = 0; i < 1024; ++i) {
    const auto folder = root / ("sys/devices/system/cpu/cpu" + std::to_string(i) + "/cpufreq");
    std::filesystem::create_directories(folder);
    std::ofstream(folder / "scaling_cur_freq") << "2596142\n";
  }
  EXPECT_NEAR(take_snapshot(root.path()).megahertz, 2596.142, 1e-9);
  const TemporaryFolder nothing;
  const MachineSnapshot unknown = take_snapshot(nothing.path());
  EXPECT_EQ(unknown.busy, 0);
  EXPECT_EQ(unknown.load, -1);
}

TEST(MachineState, MarksStealTimeOtherProcessesAndWaiting) {
  const MachineSnapshot begin{.wall = 10, .steal = 1, .busy = 100, .own = 50, .waiting = 7, .processors = 2};
  const auto after = [&](double steal, double others, double waiting) {
    MachineSnapshot end = begin;
    end.wall += 1;
    end.steal += steal;
    end.busy += 1.5 + others;
    end.own += 1.5;
    end.waiting += waiting;
    return between(begin, end).disturbance();
  };
  EXPECT_EQ(after(0, 0, 0), "");
  EXPECT_EQ(after(0.019, 0.099, 0.099), "");
  EXPECT_EQ(after(0.06, 0, 0), "steal time 3 %");
  EXPECT_EQ(after(0, 0.5, 0), "other processes 25 %");
  EXPECT_EQ(after(0, -0.3, 0), "");  // the ticks of a short time are not those of this process
  EXPECT_EQ(after(0, 0, 0.12), "waiting for a processor 6 %");
  EXPECT_EQ(after(0.2, 2, 1), "steal time 10 %, other processes 100 %, waiting for a processor 50 %");
}

TEST(MachineState, IsKeptForEveryRound) {
  Rounds rounds = run_rounds({[] { return 1.0; }, [] { return 1.0; }}, {.most = 9, .budget = 60});
  for (MachineState& m : rounds.machine) m = {.seconds = 1, .load = 0.5};
  rounds.machine[3].steal = 0.5;
  EXPECT_EQ(rounds.disturbed(), 1);
  const Comparison c = rounds.compare(0, 1);
  EXPECT_EQ(c.text(), "same: 1.000 (1.000-1.000), 7 rounds, 1 disturbed");
  const nlohmann::json state = rounds.machine_json();
  EXPECT_EQ(state["steal"].size(), 7u);
  EXPECT_EQ(state["disturbed"][3], "steal time 50 %");
  EXPECT_EQ(state["disturbed"][4], "");
  EXPECT_EQ(state["load"][0], 0.5);
  EXPECT_TRUE(state["megahertz"][0].is_null());
}

}  // namespace
}  // namespace gpuvae::bench

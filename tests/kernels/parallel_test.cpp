// Tests the thread pool: every piece runs once, results do not depend on threads, and callers are left as
// they were.
#include "kernels/cpu/parallel.h"

#include <gtest/gtest.h>
#include <pthread.h>
#include <signal.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <ucontext.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <numeric>
#include <stdexcept>
#include <thread>
#include <vector>

#include "gpuvae/gpuvae.h"
#include "kernels/backend.h"
#include "kernels/cpu/parallel/adaptive_count.h"
#include "kernels/cpu/parallel/cores.h"

extern "C" [[gnu::weak]] int omp_get_max_threads();

namespace gpuvae {
namespace {

using kernels::parallel_for;
using namespace std::chrono_literals;

class ThreadPool : public testing::Test {
 protected:
  void TearDown() override { set_num_threads(threads_); }
  int threads_ = num_threads();
};

TEST_F(ThreadPool, RunsEveryPieceOnce) {
  for (const int threads : {1, 2, 3, 8}) {
    set_num_threads(threads);
    for (const int count : {0, 1, 2, 7, 255, 256, 257, 100'000}) {
      std::vector<std::atomic<int>> runs(static_cast<std::size_t>(count));
      parallel_for(count, true, [&](std::int64_t i) { ++runs[static_cast<std::size_t>(i)]; });
      for (const std::atomic<int>& run : runs)
        ASSERT_EQ(run, 1) << count << " pieces on " << threads << " threads";
    }
  }
}

// Each piece waits until two others have begun, so one or two threads alone would not finish. The first
// attempts may have fewer threads, because the pool leaves threads out on a busy machine.
TEST_F(ThreadPool, UsesSeveralThreadsAtTheSameTime) {
  set_num_threads(3);
  bool together = false;
  for (int attempt = 0; attempt < 40 && !together; ++attempt) {
    std::atomic<int> begun = 0;
    std::atomic<bool> late = false;
    parallel_for(3, true, [&](std::int64_t) {
      ++begun;
      const auto start = std::chrono::steady_clock::now();
      while (begun < 3 && !late)
        if (std::chrono::steady_clock::now() - start > 500ms) late = true;
    });
    together = !late;
  }
  EXPECT_TRUE(together);
}

TEST_F(ThreadPool, LoopsInsidePiecesAndFromManyThreadsAreComplete) {
  set_num_threads(3);
  std::vector<std::int64_t> sums(6);
  {
    std::vector<std::jthread> callers;
    for (std::int64_t& sum : sums)
      callers.emplace_back([&sum] {
        for (int repeat = 0; repeat < 200; ++repeat) {
          std::atomic<std::int64_t> total = 0;
          parallel_for(10, true, [&](std::int64_t i) {
            parallel_for(10, true, [&](std::int64_t j) { total += 10 * i + j; });
          });
          sum += total;
        }
      });
  }
  for (const std::int64_t sum : sums) EXPECT_EQ(sum, 200 * 4950);
}

TEST_F(ThreadPool, AnExceptionReachesTheCallerAndThePoolStaysUsable) {
  set_num_threads(2);
  for (int repeat = 0; repeat < 100; ++repeat) {
    std::atomic<int> runs = 0;
    EXPECT_THROW(parallel_for(40, true,
                              [&](std::int64_t i) {
                                ++runs;
                                if (i % 13 == 7) throw std::runtime_error("piece");
                              }),
                 std::runtime_error);
    EXPECT_EQ(runs, 40);
  }
}

std::vector<float> product_and_sum() {
  const Noise noise{.seed = 3, .purpose = RandomPurpose::test};
  const Variable a(random_normal({100, 784}, noise, 0, 1)), b(random_normal({256, 784}, noise, 0, 1));
  const Variable bias(random_normal({256}, noise, 0, 1));
  return linear(a, b, bias, Activation::tanh).value().to_vector();
}

TEST_F(ThreadPool, AForkedProcessHasAPoolOfItsOwn) {
  set_num_threads(3);
  const std::vector<float> expected = product_and_sum();
  const pid_t child = fork();
  if (child == 0) {
    alarm(60);  // a hanging child fails instead of hanging the test
    const bool same = product_and_sum() == expected && product_and_sum() == expected;
    _exit(same ? 0 : 1);
  }
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFEXITED(status));
  EXPECT_EQ(WEXITSTATUS(status), 0);
  EXPECT_EQ(product_and_sum(), expected);
}

#ifdef __x86_64__
// Signals that found the stack pointer of the interrupted code outside of the thread's stack.
std::atomic<int> signals, misplaced;
std::uintptr_t stack_begin, stack_end;

void look_at_stack_pointer(int, siginfo_t*, void* context) {
  const auto pointer =
      static_cast<std::uintptr_t>(static_cast<const ucontext_t*>(context)->uc_mcontext.gregs[REG_RSP]);
  ++signals;
  misplaced += pointer < stack_begin || pointer >= stack_end;
}

// Some of oneDNN's kernels (2.6) use the stack pointer for a buffer on the heap. The frame of a signal's
// handler would then overwrite what lies before that buffer.
TEST_F(ThreadPool, NoSignalArrivesWhileTheStackPointerIsElsewhere) {
  set_num_threads(1);
  pthread_attr_t attributes;
  void* begin = nullptr;
  std::size_t size = 0;
  pthread_getattr_np(pthread_self(), &attributes);
  pthread_attr_getstack(&attributes, &begin, &size);
  pthread_attr_destroy(&attributes);
  stack_begin = reinterpret_cast<std::uintptr_t>(begin);
  stack_end = stack_begin + size;
  std::vector<char> other_stack(1 << 16);
  const stack_t alternative{other_stack.data(), 0, other_stack.size()};
  stack_t previous{};
  sigaltstack(&alternative, &previous);
  struct sigaction action {
  }, before{};
  action.sa_sigaction = look_at_stack_pointer;
  action.sa_flags = SA_RESTART | SA_SIGINFO | SA_ONSTACK;
  sigaction(SIGALRM, &action, &before);
  signals = misplaced = 0;
  const itimerval every{{0, 50}, {0, 50}}, never{};
  setitimer(ITIMER_REAL, &every, nullptr);
  const Noise noise{.seed = 6, .purpose = RandomPurpose::test};
  for (const auto& [m, n, k] : {std::array{100, 256, 784},
                                {256, 784, 100},
                                {100, 784, 256},
                                {513, 515, 517},
                                {64, 200, 200},
                                {37, 1500, 61},
                                {784, 200, 100},
                                {100, 200, 560}})
    for (const bool transpose_a : {false, true})
      for (const bool transpose_b : {false, true}) {
        const Tensor a = random_normal(transpose_a ? Shape{k, m} : Shape{m, k}, noise);
        const Tensor b = random_normal(transpose_b ? Shape{n, k} : Shape{k, n}, noise);
        for (int repeat = 0; repeat < 20; ++repeat) static_cast<void>(matmul(a, b, transpose_a, transpose_b));
      }
  setitimer(ITIMER_REAL, &never, nullptr);
  sigaction(SIGALRM, &before, nullptr);
  sigaltstack(&previous, nullptr);
  EXPECT_GT(signals, 100);
  EXPECT_EQ(misplaced, 0);
}
#endif

TEST_F(ThreadPool, HelpersBlockSignals) {
  set_num_threads(2);
  const std::thread::id caller = std::this_thread::get_id();
  std::atomic<int> unblocked = 0, helped = 0;
  for (int repeat = 0; repeat < 1000 && helped == 0; ++repeat)
    parallel_for(2, true, [&](std::int64_t) {
      std::this_thread::sleep_for(1ms);
      if (std::this_thread::get_id() == caller) return;
      sigset_t mask;
      pthread_sigmask(SIG_SETMASK, nullptr, &mask);
      ++helped;
      unblocked += sigismember(&mask, SIGINT) != 1 || sigismember(&mask, SIGALRM) != 1;
    });
  EXPECT_GT(helped, 0);
  EXPECT_EQ(unblocked, 0);
}

// Returns the number of this process's threads that are not the pool's.
int other_threads() {
  int count = 0;
  for (const auto& task : std::filesystem::directory_iterator("/proc/self/task")) {
    std::string name;
    std::ifstream(task.path() / "comm") >> name;
    count += name != "gpuvae";
  }
  return count;
}

// The main thread. ThreadSanitizer adds a background thread to every process.
#ifdef __SANITIZE_THREAD__
constexpr int kThreadsOfProcess = 2;
#else
constexpr int kThreadsOfProcess = 1;
#endif

TEST_F(ThreadPool, OneDnnStartsNoThreads) {
  set_num_threads(4);
  product_and_sum();
  EXPECT_EQ(other_threads(), kThreadsOfProcess);
}

TEST_F(ThreadPool, LeavesTheCallersOpenMpSettingAsItWas) {
  if (!omp_get_max_threads) GTEST_SKIP() << "this oneDNN does not use OpenMP";
  const int before = omp_get_max_threads();
  set_num_threads(2);
  product_and_sum();
  EXPECT_EQ(omp_get_max_threads(), before);
}

TEST_F(ThreadPool, NumberOfThreadsIsChecked) {
  EXPECT_THROW(set_num_threads(0), Error);
  EXPECT_THROW(set_num_threads(-3), Error);
  set_num_threads(5);
  EXPECT_EQ(num_threads(), 5);
}

// ---- the number of threads on a busy machine ----

using Adaptive = kernels::AdaptiveCount;

// A loop of eight pieces of 1 ms on two threads, which takes this long.
Adaptive::Loop loop_of(Adaptive::Clock::duration total) { return {8, 4, 4ms, total, 2}; }

TEST(AdaptiveCount, UsesAllThreadsWhileTheyMakeLoopsFaster) {
  Adaptive adaptive;
  Adaptive::Clock::time_point now{};
  for (int repeat = 0; repeat < 1000; ++repeat, now += 1ms) {
    EXPECT_EQ(adaptive.count(2, now), 2);
    adaptive.add(loop_of(repeat % 10 == 0 ? 9ms : 5ms), now);
  }
  // The same with four threads: three would need 3 ms for eight pieces, and four need 2 ms.
  Adaptive four;
  for (int repeat = 0; repeat < 1000; ++repeat, now += 1ms) {
    EXPECT_EQ(four.count(4, now), 4);
    four.add({8, 2, 2ms, 2600us, 4}, now);
  }
}

TEST(AdaptiveCount, LeavesThreadsOutWhileTheyMakeLoopsSlower) {
  Adaptive adaptive;
  Adaptive::Clock::time_point now = Adaptive::Clock::time_point() + 10s;
  EXPECT_EQ(adaptive.count(2, now), 2);
  adaptive.add(loop_of(9ms), now);
  adaptive.add(loop_of(9ms), now);  // together less than the time for a decision
  EXPECT_EQ(adaptive.count(2, now), 2);
  adaptive.add(loop_of(9ms), now);
  EXPECT_EQ(adaptive.count(2, now), 1);
  EXPECT_EQ(adaptive.count(2, now + 39ms), 1);
  now += 41ms;
  EXPECT_EQ(adaptive.count(2, now), 2);
  // The slow loops are back at once, so the pause doubles, up to the longest one.
  adaptive.add(loop_of(25ms), now);
  EXPECT_EQ(adaptive.count(2, now + 79ms), 1);
  for (int repeat = 0; repeat < 10; ++repeat) {
    now += 1s;
    EXPECT_EQ(adaptive.count(2, now), 2);
    adaptive.add(loop_of(25ms), now);
  }
  EXPECT_EQ(adaptive.count(2, now + 639ms), 1);
  EXPECT_EQ(adaptive.count(2, now + 641ms), 2);
  // After a long good time, the first pause is the shortest again.
  now += 2s;
  adaptive.add(loop_of(25ms), now);
  EXPECT_EQ(adaptive.count(2, now + 39ms), 1);
  EXPECT_EQ(adaptive.count(2, now + 41ms), 2);
  EXPECT_EQ(adaptive.count(1, now + 41ms), 1);
}

// ---- the processors that a process may use ----

class UsableProcessors : public testing::Test {
 protected:
  void SetUp() override { std::filesystem::create_directories(root_ / "proc/self"); }
  void TearDown() override { std::filesystem::remove_all(root_); }
  void write(const std::string& path, const std::string& text) {
    std::filesystem::create_directories((root_ / path).parent_path());
    std::ofstream(root_ / path) << text;
  }
  int count() { return kernels::usable_processors(root_); }

  std::filesystem::path root_ =
      std::filesystem::temp_directory_path() / ("gpuvae-cores-" + std::to_string(getpid()));
  int all_ = kernels::usable_processors("/nonexistent");
};

TEST_F(UsableProcessors, FollowsTheAffinityMask) {
  cpu_set_t before, one;
  ASSERT_EQ(sched_getaffinity(0, sizeof before, &before), 0);
  EXPECT_EQ(all_, CPU_COUNT(&before));
  int first = 0;
  while (!CPU_ISSET(first, &before)) ++first;
  CPU_ZERO(&one);
  CPU_SET(first, &one);
  ASSERT_EQ(sched_setaffinity(0, sizeof one, &one), 0);
  EXPECT_EQ(count(), 1);
  sched_setaffinity(0, sizeof before, &before);
}

TEST_F(UsableProcessors, FollowsTheQuotaOfTheControlGroup) {
  write("proc/self/cgroup", "0::/user/job\n");
  EXPECT_EQ(count(), all_);
  write("sys/fs/cgroup/user/job/cpu.max", "max 100000\n");
  EXPECT_EQ(count(), all_);
  write("sys/fs/cgroup/user/job/cpu.max", "150000 100000\n");
  EXPECT_EQ(count(), 1);
  write("sys/fs/cgroup/user/job/cpu.max", "50000 100000\n");
  EXPECT_EQ(count(), 1);
  write("sys/fs/cgroup/user/job/cpu.max", "100000000 100000\n");
  EXPECT_EQ(count(), all_);
  write("sys/fs/cgroup/user/cpu.max", "100000 100000\n");  // a group that contains the process's group
  EXPECT_EQ(count(), 1);
}

TEST_F(UsableProcessors, FollowsTheQuotaOfVersion1) {
  write("proc/self/cgroup", "4:memory:/m\n3:cpu,cpuacct:/job\n");
  write("sys/fs/cgroup/cpu/job/cpu.cfs_quota_us", "-1\n");
  write("sys/fs/cgroup/cpu/job/cpu.cfs_period_us", "100000\n");
  EXPECT_EQ(count(), all_);
  write("sys/fs/cgroup/cpu/job/cpu.cfs_quota_us", "120000\n");
  EXPECT_EQ(count(), 1);
}

}  // namespace
}  // namespace gpuvae

// Attacks on the measurements. Each cheat must be caught by an error that names it.
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <functional>
#include <memory>
#include <string>
#include <thread>

#include "bench/stopwatch.h"
#include "bench/work_check.h"
#include "gpuvae/error.h"
#include "kernels/backend.h"

namespace gpuvae::bench {
namespace {

using Outputs = std::vector<Tensor>;

std::string error_of(const std::function<void()>& f) {
  try {
    f();
  } catch (const Error& error) {
    return error.what();
  }
  return "no error";
}
std::string error_of(const Work& work) {
  return error_of([&] { check_work(work, Device::cpu()); });
}
testing::AssertionResult contains(const std::string& text, const std::string& part) {
  if (text.find(part) != std::string::npos) return testing::AssertionSuccess();
  return testing::AssertionFailure() << "expected \"" << part << "\" in \"" << text << "\"";
}

void scale(const Tensor& from, const Tensor& to, double factor, kernels::StreamHandle stream = nullptr) {
  kernels::AxpbyArgs args{.size = from.elements(), .alpha = factor, .x = from.data(), .y = to.data()};
  from.device().backend().axpby(args, stream);
}

// Honest work: y = 3 x, with new or with the same memory for y in each run.
struct Example {
  Tensor x = Tensor::full({300, 100}, 2), y = Tensor::zeros({300, 100});

  Work with_new_outputs() const {
    return {[x = x](Outputs* outputs) {
              const Tensor result = Tensor::empty(x.shape());
              scale(x, result, 3);
              if (outputs) *outputs = {result};
            },
            {x}};
  }
  Work with_same_outputs() const {
    return {[x = x, y = y](Outputs* outputs) {
              scale(x, y, 3);
              if (outputs) *outputs = {y};
            },
            {x}};
  }
};

TEST(Harness, AcceptsHonestWorkAndRestoresTheInputs) {
  const Example e;
  for (const Work& work : {e.with_new_outputs(), e.with_same_outputs()}) {
    const OutputSamples samples = check_work(work, Device::cpu());
    ASSERT_EQ(samples.size(), 1u);
    ASSERT_EQ(samples[0].size(), 3 * 1024u);
    EXPECT_EQ(samples[0][0], 6);
    EXPECT_EQ(e.x.to_doubles()[29999], 2);
  }
  // An update in place, such as that of an optimiser.
  const Work update{[x = e.x](Outputs* outputs) {
                      scale(x, x, 1.5);
                      if (outputs) *outputs = {x};
                    },
                    {e.x}};
  EXPECT_EQ(check_work(update, Device::cpu())[0][5], 3);
  EXPECT_EQ(e.x.to_doubles()[0], 2);
}

TEST(Harness, AcceptsBytesAndConstantGradients) {
  const Tensor bytes = Tensor::from(std::vector<std::uint8_t>{0, 5, 250}, {3});
  const Work work{[=](Outputs* outputs) {
                    const Tensor sum = bytes.to(DType::f32), count = Tensor::full({1}, 3);
                    if (outputs) *outputs = {sum, count};
                  },
                  {bytes}};
  EXPECT_EQ(check_work(work, Device::cpu())[0], (std::vector<double>{0, 5, 250}));
  EXPECT_EQ(bytes.to_doubles(), (std::vector<double>{0, 5, 250}));
}

TEST(Harness, CatchesResultsThatAreReused) {
  const Example e;
  const auto first = std::make_shared<Tensor>();
  const Work memoised{[=](Outputs* outputs) {
                        if (!*first) e.with_new_outputs().run(nullptr);
                        if (!*first) *first = Tensor::full(e.x.shape(), 6);
                        if (outputs) *outputs = {first->clone()};
                      },
                      {e.x}};
  EXPECT_TRUE(contains(error_of(memoised), "a result is reused"));
  *first = Tensor();
  const Work same_handle{[=](Outputs* outputs) {
                           if (!*first) *first = Tensor::full(e.x.shape(), 6);
                           if (outputs) *outputs = {*first};
                         },
                         {e.x}};
  EXPECT_TRUE(contains(error_of(same_handle), "an earlier result is reused"));
}

// A result that is kept until the version of an input changes is right in every run, but repeated runs do
// nothing.
TEST(Harness, CatchesResultsThatAreReusedOnlyWhileTheInputsStayTheSame) {
  const Example e;
  const auto version = std::make_shared<std::uint64_t>(0);
  const Work cached{[=](Outputs* outputs) {
                      if (*version != e.x.version() || outputs) {
                        for (int i = 0; i < 200; ++i) scale(e.x, e.y, 3);
                        *version = e.x.version();
                      }
                      if (outputs) *outputs = {e.y};
                    },
                    {e.x}};
  EXPECT_TRUE(contains(error_of(cached), "repeated runs reuse a result"));
}

TEST(Harness, CatchesOutputsThatAreNeverWritten) {
  const Example e;
  const Work nothing{[=](Outputs* outputs) {
                       if (outputs) *outputs = {e.y};
                     },
                     {e.x}};
  EXPECT_TRUE(contains(error_of(nothing), "the output is never written"));
  const Work half{[=](Outputs* outputs) {
                    scale(e.x.slice(0, 299), e.y.slice(0, 299), 3);
                    if (outputs) *outputs = {e.y};
                  },
                  {e.x}};
  EXPECT_TRUE(contains(error_of(half), "the output is never written"));
  EXPECT_TRUE(contains(error_of(Work{[](Outputs*) {}, {e.x}}), "expected at least one output"));
}

TEST(Harness, CatchesResultsThatDifferForEqualInputs) {
  const Example e;
  const auto runs = std::make_shared<int>(0);
  const Work noisy{[=](Outputs* outputs) {
                     scale(e.x, e.y, ++*runs);
                     if (outputs) *outputs = {e.y};
                   },
                   {e.x}};
  EXPECT_TRUE(contains(error_of(noisy), "expected equal results for equal inputs"));
  Work allowed = noisy;
  allowed.repeatable = false;
  EXPECT_EQ(error_of(allowed), "no error");
}

TEST(Harness, CatchesKernelsOnAnotherStream) {
  const Example e;
  int other = 0;
  const Work elsewhere{[&](Outputs* outputs) {
                         scale(e.x, e.y, 3, &other);
                         if (outputs) *outputs = {e.y};
                       },
                       {e.x}};
  EXPECT_TRUE(contains(error_of(elsewhere), "1 on another stream, whose time is not measured"));
}

// Runs `write`, which gets the elements of y, on another thread that the run does not wait for.
std::string error_of_detached(const Example& e, const std::function<void(float*)>& write) {
  std::vector<std::thread> threads;
  const Work work{[&](Outputs* outputs) {
                    threads.emplace_back([&] { write(e.y.data_as<float>()); });
                    if (outputs) *outputs = {e.y};
                  },
                  {e.x}};
  const std::string error = error_of(work);
  for (std::thread& t : threads) t.join();
  return error;
}

TEST(Harness, CatchesWorkThatContinuesOnAnotherThread) {
  const Example e;
  const std::string late = error_of_detached(e, [](float* y) {
    std::this_thread::sleep_for(std::chrono::milliseconds(300));
    std::fill_n(y, 30'000, 6.0F);
  });
  EXPECT_TRUE(contains(late, "not before the run ends"));
  // Writes new values all the time. The run waits for the first ones.
  const auto still_writing = [](float* y) {
    for (int i = 0; i < 100'000; ++i) std::fill_n(y, 30'000, static_cast<float>(i));
  };
  std::vector<std::thread> threads;
  const Work continued{[&](Outputs* outputs) {
                         if (threads.empty())
                           threads.emplace_back([&] { still_writing(e.y.data_as<float>()); });
                         std::this_thread::sleep_for(std::chrono::milliseconds(20));
                         if (outputs) *outputs = {e.y};
                       },
                       {e.x}};
  const std::string error = error_of(continued);
  for (std::thread& t : threads) t.join();
  // On a busy machine, the thread may not run between two runs of the work.
  EXPECT_TRUE(contains(error, "another thread or stream") || contains(error, "not before the run ends"))
      << error;
}

TEST(Harness, CatchesCachesThatStayWarm) {
  Stopwatch useless(Device::cpu(), 4096);
  EXPECT_TRUE(
      contains(error_of([&] { useless.check_cold(); }), "got 0.0 MiB, whose writing leaves the caches warm"));
  EXPECT_LT(useless.cold_over_warm(), 1.3);
  Stopwatch whole(Device::cpu());
  EXPECT_GT(whole.cold_over_warm(), 1.3);
  EXPECT_EQ(error_of([&] { whole.check_cold(); }), "no error");
}

TEST(Harness, CatchesAClockThatStandsStill) {
  int calls = 0;
  Stopwatch stopped(Device::cpu(), 4096, [] { return 12.5; });
  EXPECT_TRUE(contains(error_of([&] { stopped.warm([&] { ++calls; }); }), "the clock stands still"));
  EXPECT_LT(calls, 20'000);
  EXPECT_TRUE(contains(error_of([&] { stopped.cold([] {}); }), "the clock stands still"));
  double now = 100;
  Stopwatch backwards(Device::cpu(), 4096, [&] { return now -= 1e-3; });
  EXPECT_TRUE(contains(error_of([&] { backwards.cold([] {}); }), "the clock stands still"));
  EXPECT_TRUE(contains(error_of([] { check_clock([] { return 1.0; }, steady_seconds); }), "stands still"));
}

TEST(Harness, CatchesAClockThatRunsAtAnotherSpeed) {
  EXPECT_EQ(error_of([] { check_clock(); }), "no error");
  for (const double speed : {0.5, 0.9, 1.1, 10.0})
    EXPECT_TRUE(
        contains(error_of([&] { check_clock([&] { return speed * steady_seconds(); }, steady_seconds); }),
                 "its times are wrong"))
        << speed;
}

TEST(Harness, CatchesImplementationsThatDisagree) {
  const OutputSamples a = {{1, 2, -4}, {100}};
  EXPECT_EQ(error_of([&] { check_agreement(a, {{1, 2.03, -4}, {100.5}}, 0.01); }), "no error");
  EXPECT_TRUE(contains(error_of([&] { check_agreement(a, {{1, 2, -4}, {102}}, 0.01); }), "in output 1"));
  EXPECT_TRUE(contains(error_of([&] { check_agreement(a, {{1, 2, 4}, {100}}, 0.01); }), "in output 0"));
  EXPECT_TRUE(contains(error_of([&] { check_agreement(a, {{1, NAN, -4}, {100}}, 0.01); }), "in output 0"));
  EXPECT_TRUE(contains(error_of([&] { check_agreement(a, {{1, 2, -4}}, 0.01); }), "equally many outputs"));
  EXPECT_TRUE(contains(error_of([&] { check_agreement(a, {{1, 2}, {100}}, 0.01); }), "in output 0"));
}

TEST(Harness, MeasuresTheTimeOfKnownWork) {
  Stopwatch stopwatch(Device::cpu(), 4096);
  const auto sleep = [] { std::this_thread::sleep_for(std::chrono::milliseconds(2)); };
  EXPECT_GE(stopwatch.warm(sleep), 0.002);
  EXPECT_GE(stopwatch.cold(sleep), 0.002);
  double now = 0;
  Stopwatch scripted(Device::cpu(), 4096, [&] { return now; });
  EXPECT_NEAR(scripted.warm([&] { now += 3e-5; }), 3e-5, 1e-15);
  EXPECT_NEAR(scripted.cold([&] { now += 0.25; }), 0.25, 1e-15);
}

}  // namespace
}  // namespace gpuvae::bench

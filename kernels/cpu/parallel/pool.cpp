#include "kernels/cpu/parallel/pool.h"

#include <pthread.h>
#include <signal.h>

#include <algorithm>
#include <atomic>
#include <charconv>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <exception>
#include <mutex>
#include <system_error>
#include <thread>
#include <type_traits>
#include <utility>

#include "kernels/check.h"
#include "kernels/cpu/parallel/adaptive_count.h"
#include "kernels/cpu/parallel/cores.h"
#include "kernels/cpu/parallel/sequential.h"
#include "kernels/log.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace gpuvae::kernels {
namespace {

using Clock = std::chrono::steady_clock;
using Function = void (*)(const void*, std::int64_t);

void pause() {
#if defined(__x86_64__)
  _mm_pause();
#elif defined(__aarch64__)
  asm volatile("isb");
#endif
}

// Whether this thread computes a piece of a loop. A loop inside a piece uses no other threads.
thread_local bool in_piece = false;

// Spins until condition() is true or `most` has passed, and returns condition().
template <class Condition>
bool spin_until(const Condition& condition, Clock::duration most) {
  constexpr int kPausesPerClock = 64;
  const auto start = Clock::now();
  do {
    for (int i = 0; i < kPausesPerClock; ++i) {
      if (condition()) return true;
      pause();
    }
  } while (Clock::now() - start < most);
  return condition();
}

// The pieces of a loop that no thread has taken yet: front, ..., back - 1. `loop` is the number of the loop,
// so that a helper that comes late for one loop does not take a piece of the next one by mistake. Without the
// alignment, clang calls libatomic.
struct alignas(std::uint64_t) Ticket {
  std::uint32_t loop = 0;
  std::uint16_t front = 0, back = 0;
};
static_assert(std::atomic<Ticket>::is_always_lock_free);

class Pool {
 public:
  ~Pool() {
    stopping_ = true;
    for (Helper& helper : helpers_) wake(helper);
    for (Helper& helper : helpers_) helper.thread.join();
  }

  // Runs a loop on up to `threads` threads. Returns false, without calling run(), if another loop uses the
  // pool.
  bool try_run(std::int64_t count, Function run, const void* body, int threads) {
    const std::unique_lock lock(busy_, std::try_to_lock);
    if (!lock) return false;
    const auto start = Clock::now();
    const auto most = static_cast<int>(std::min<std::int64_t>(adaptive_.count(threads, start), count));
    grow(most - 1);
    const int helpers = std::min(most - 1, static_cast<int>(helpers_.size()));
    run_.store(run, std::memory_order_relaxed);
    body_.store(body, std::memory_order_relaxed);
    unfinished_.store(static_cast<std::uint32_t>(count), std::memory_order_relaxed);
    active_.store(helpers, std::memory_order_relaxed);
    ticket_.store({++loop_, 0, static_cast<std::uint16_t>(count)});
    for (int i = 0; i < helpers; ++i) {
      Helper& helper = helpers_[static_cast<std::size_t>(i)];
      if (helper.asleep.load()) wake(helper);
    }
    const std::int64_t own = take_pieces(loop_, true);
    if (helpers > 0) {
      const auto worked = Clock::now();
      wait_for_helpers();
      const auto end = Clock::now();
      adaptive_.add({count, own, worked - start, end - start, helpers + 1}, end);
    }
    if (error_) std::rethrow_exception(std::exchange(error_, nullptr));
    return true;
  }

  // Logs once that the system refused to start a thread. Callers hold no lock.
  void report_refusal(int threads) {
    if (unreported_.load(std::memory_order_relaxed) && unreported_.exchange(false))
      log_message(LogLevel::warning, "threads",
                  "the system refuses to start another thread, so that loops use fewer than {} threads",
                  threads);
  }

  // Whether no thread runs a loop.
  bool idle() { return std::unique_lock(busy_, std::try_to_lock).owns_lock(); }

 private:
  // Helpers spin for this time after a loop, because the loops of a training step follow each other closely.
  static constexpr Clock::duration kHelperSpin = std::chrono::microseconds(200);
  // The caller spins for this time until helpers have finished their pieces. Then it sleeps, so that a helper
  // that was preempted can continue on the caller's processor.
  static constexpr Clock::duration kCallerSpin = std::chrono::microseconds(50);

  struct Helper {
    std::atomic<bool> asleep = false;
    std::thread thread;
  };

  static void wake(Helper& helper) {
    helper.asleep.store(false);
    helper.asleep.notify_one();
  }

  // Starts helpers until there are `count`. If the system refuses to, the pool works with fewer.
  void grow(int count) {
    while (std::ssize(helpers_) < count && !refused_) {
      const int index = static_cast<int>(helpers_.size());
      Helper& helper = helpers_.emplace_back();
      // Signals are left to the threads of the program.
      sigset_t all, before;
      sigfillset(&all);
      pthread_sigmask(SIG_SETMASK, &all, &before);
      try {
        helper.thread = std::thread([this, &helper, index] { help(helper, index); });
        pthread_setname_np(helper.thread.native_handle(), "gpuvae");
      } catch (const std::system_error&) {
        helpers_.pop_back();
        refused_ = true;
        unreported_.store(true, std::memory_order_relaxed);
      }
      pthread_sigmask(SIG_SETMASK, &before, nullptr);
    }
  }

  void help(Helper& self, int index) {
    const SequentialOpenMp sequential;
    std::uint32_t seen = 0;
    const auto called = [&] {
      return stopping_.load() || (ticket_.load().loop != seen && index < active_.load());
    };
    while (!stopping_) {
      if (spin_until(called, kHelperSpin)) {
        seen = ticket_.load().loop;
        take_pieces(seen, false);
        continue;
      }
      // The caller first publishes a loop and then looks for sleeping helpers, so one of the two sees the
      // other.
      self.asleep = true;
      if (called()) self.asleep = false;
      self.asleep.wait(true);
    }
  }

  // Computes pieces of the given loop until none is left, and returns their number.
  std::int64_t take_pieces(std::uint32_t loop, bool from_front) {
    std::int64_t taken = 0;
    Ticket ticket = ticket_.load();
    while (ticket.loop == loop && ticket.front < ticket.back) {
      // These belong to the loop if the exchange succeeds: the next loop starts only when no piece is left.
      const Function run = run_.load(std::memory_order_relaxed);
      const void* body = body_.load(std::memory_order_relaxed);
      Ticket rest = ticket;
      const std::int64_t piece = from_front ? rest.front++ : --rest.back;
      if (!ticket_.compare_exchange_weak(ticket, rest)) continue;
      compute(run, body, piece);
      ++taken;
      if (unfinished_.fetch_sub(1) == 1 && caller_asleep_.load()) unfinished_.notify_one();
      ticket = ticket_.load();
    }
    return taken;
  }
  void compute(Function run, const void* body, std::int64_t piece) {
    const bool outer = std::exchange(in_piece, true);
    try {
      run(body, piece);
    } catch (...) {
      const std::lock_guard lock(error_guard_);
      error_ = std::current_exception();
    }
    in_piece = outer;
  }

  // Waits until every piece is finished.
  void wait_for_helpers() {
    if (spin_until([this] { return unfinished_.load() == 0; }, kCallerSpin)) return;
    caller_asleep_ = true;
    for (std::uint32_t left = unfinished_; left > 0; left = unfinished_) unfinished_.wait(left);
    caller_asleep_ = false;
  }

  std::mutex busy_;  // held by the thread whose loop runs
  std::deque<Helper> helpers_;
  bool refused_ = false;
  std::atomic<bool> unreported_ = false;  // whether a refusal was not logged yet
  std::uint32_t loop_ = 0;
  AdaptiveCount adaptive_;
  std::mutex error_guard_;
  std::exception_ptr error_;
  std::atomic<bool> stopping_ = false;
  // What helpers read while they spin, apart from what changes with every piece.
  alignas(64) std::atomic<Ticket> ticket_;
  std::atomic<Function> run_;
  std::atomic<const void*> body_;
  std::atomic<int> active_ = 0;
  alignas(64) std::atomic<std::uint32_t> unfinished_ = 0;
  std::atomic<bool> caller_asleep_ = false;
};

// The pool of this process, which is made when it is first needed. A forked process has none of its parent's
// threads: it forgets its copy of the parent's pool and makes its own.
class ProcessPool {
 public:
  // Returns null when the process exits.
  Pool* get() {
    if (Pool* pool = pool_.load(std::memory_order_acquire)) return pool;
    static const Registration registration;
    const std::lock_guard lock(guard_);
    if (!pool_.load() && !ended_) pool_.store(new Pool);
    return pool_.load();
  }

 private:
  // Watches forks and the end of the process, or of the shared library.
  struct Registration {
    Registration();
    ~Registration();
  };

  std::atomic<Pool*> pool_ = nullptr;
  std::mutex guard_;
  bool ended_ = false;
};

// Threads may run loops until the process has ended, so this object is never destroyed.
constinit ProcessPool process_pool;
static_assert(std::is_trivially_destructible_v<ProcessPool>);

ProcessPool::Registration::Registration() {
  pthread_atfork([] { process_pool.guard_.lock(); }, [] { process_pool.guard_.unlock(); },
                 [] {
                   process_pool.pool_.store(nullptr);
                   process_pool.guard_.unlock();
                 });
}
ProcessPool::Registration::~Registration() {
  const std::lock_guard lock(process_pool.guard_);
  process_pool.ended_ = true;
  Pool* pool = process_pool.pool_.exchange(nullptr);
  if (pool && pool->idle()) delete pool;
}

int threads_at_start() {
  const char* text = std::getenv("GPUVAE_NUM_THREADS");
  if (!text || !*text) return usable_processors();
  int threads = 0;
  const char* end = text + std::strlen(text);
  const auto [stop, error] = std::from_chars(text, end, threads);
  check(error == std::errc() && stop == end && threads >= 1, "num_threads",
        "expected a whole number of at least 1 in GPUVAE_NUM_THREADS, got {}", text);
  return threads;
}
std::atomic<int>& chosen_threads() {
  static std::atomic<int> threads = threads_at_start();
  return threads;
}

}  // namespace

int num_threads() { return chosen_threads().load(std::memory_order_relaxed); }

void set_num_threads(int threads) {
  check(threads >= 1, "set_num_threads", "expected at least 1 thread, got {}", threads);
  chosen_threads().store(threads);
}

SingleThread::SingleThread() : outer_(std::exchange(in_piece, true)) {}
SingleThread::~SingleThread() { in_piece = outer_; }

void run_pieces(std::int64_t count, Function run, const void* body) {
  if (count > 1 && !in_piece && num_threads() > 1)
    if (Pool* pool = process_pool.get(); pool && pool->try_run(count, run, body, num_threads()))
      return pool->report_refusal(num_threads());
  for (std::int64_t i = 0; i < count; ++i) run(body, i);
}

}  // namespace gpuvae::kernels

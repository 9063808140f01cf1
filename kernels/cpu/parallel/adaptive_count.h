// Decides how many threads a loop uses while other processes keep the processors busy.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>

namespace gpuvae::kernels {

// If a helper thread loses its processor in the middle of a piece, the caller waits for it, often for
// milliseconds. Loops use one thread less after a time in which they were slower than they would be with one
// thread less, and try one more after a pause, which doubles if this fails at once. The results do not depend
// on the number of threads.
class AdaptiveCount {
 public:
  using Clock = std::chrono::steady_clock;
  static constexpr Clock::duration kWindow = std::chrono::milliseconds(20);  // of loops, for one decision
  static constexpr Clock::duration kShortestPause = std::chrono::milliseconds(40);
  static constexpr Clock::duration kLongestPause = std::chrono::milliseconds(640);

  // A loop that ran on several threads.
  struct Loop {
    std::int64_t pieces = 0, own_pieces = 0;  // all of them, and those that the calling thread computed
    Clock::duration own{}, total{};           // the times of the calling thread's pieces and of the loop
    int threads = 0;
  };

  // Returns how many of `threads` the next loop uses.
  int count(int threads, Clock::time_point now) {
    left_out_ = std::min(left_out_, threads - 1);
    if (left_out_ > 0 && now >= retry_) {
      --left_out_;
      retried_ = now;
      retry_ = now + pause_;
    }
    return threads - left_out_;
  }

  // Reports a loop that has ended.
  void add(const Loop& loop, Clock::time_point now) {
    if (loop.own_pieces == 0) return;
    const auto ideal = [&](int threads) {
      return loop.own / loop.own_pieces * ((loop.pieces + threads - 1) / threads);
    };
    total_ += loop.total;
    acceptable_ += std::max(ideal(loop.threads - 1) * 9 / 10, ideal(loop.threads) * 3 / 2);
    if (total_ < kWindow) return;
    if (total_ > acceptable_) {
      pause_ = now - retried_ < 2 * kWindow ? std::min(2 * pause_, kLongestPause) : kShortestPause;
      ++left_out_;
      retry_ = now + pause_;
    }
    total_ = Clock::duration::zero();
    acceptable_ = Clock::duration::zero();
  }

 private:
  int left_out_ = 0;
  Clock::duration total_{}, acceptable_{}, pause_ = kShortestPause;
  Clock::time_point retry_, retried_;
};

}  // namespace gpuvae::kernels

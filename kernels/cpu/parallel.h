// Parallel loops. The bounds of their pieces depend only on the size, and partial sums are added in order, so
// results are bitwise identical for any number of threads.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>

#include "kernels/cpu/parallel/pool.h"

namespace gpuvae::kernels {

// The numbers of elements from which multithreading pays off, for memory-bound and for compute-bound kernels.
inline constexpr std::int64_t kCheapGrain = 40'000;
inline constexpr std::int64_t kCostlyGrain = 10'000;

// Calls body(i) for i = 0, ..., count - 1, on several threads if `worth` is true (the work is large enough
// for them) and on the calling thread otherwise. A thread that calls body for one i calls it for neighbouring
// ones too, if there are many.
template <class Body>
void parallel_for(std::int64_t count, bool worth, const Body& body) {
  constexpr std::int64_t kMaxPiecesPerLoop = 256;
  if (!worth) {
    for (std::int64_t i = 0; i < count; ++i) body(i);
    return;
  }
  struct Loop {
    const Body& body;
    std::int64_t count, per_piece;
  };
  const std::int64_t per_piece = (count + kMaxPiecesPerLoop - 1) / kMaxPiecesPerLoop;
  const Loop loop{body, count, per_piece};
  const auto run = [](const void* context, std::int64_t piece) {
    const Loop& of = *static_cast<const Loop*>(context);
    const std::int64_t end = std::min(of.count, (piece + 1) * of.per_piece);
    for (std::int64_t i = piece * of.per_piece; i < end; ++i) of.body(i);
  };
  if (count > 0) run_pieces((count + per_piece - 1) / per_piece, run, &loop);
}

// Divides 0, ..., size - 1 into at most kLargest chunks. All chunks but the last have the same length, which
// is at least `least` and a multiple of `multiple`.
class Chunks {
 public:
  static constexpr std::int64_t kLargest = 256;

  static Chunks of_elements(std::int64_t size) { return Chunks(size, kLeastElements, 64); }
  static Chunks of_rows(std::int64_t rows, std::int64_t columns) {
    return Chunks(rows, std::max<std::int64_t>(1, kLeastElements / std::max<std::int64_t>(1, columns)), 1);
  }
  std::int64_t count() const { return (size_ + length_ - 1) / length_; }
  std::int64_t begin(std::int64_t chunk) const { return chunk * length_; }
  std::int64_t end(std::int64_t chunk) const { return std::min(size_, (chunk + 1) * length_); }

 private:
  static constexpr std::int64_t kLeastElements = 4096;

  Chunks(std::int64_t size, std::int64_t least, std::int64_t multiple) : size_(size) {
    const std::int64_t even = (size + kLargest - 1) / kLargest;
    length_ = std::max(least, (even + multiple - 1) / multiple * multiple);
  }
  std::int64_t size_, length_;
};

// Calls body(begin, end) for each chunk.
template <class Body>
void parallel_chunks(const Chunks& chunks, bool worth, const Body& body) {
  parallel_for(chunks.count(), worth,
               [&](std::int64_t chunk) { body(chunks.begin(chunk), chunks.end(chunk)); });
}

// Returns the sum of body(begin, end) over the chunks.
template <class Body>
double parallel_sum(const Chunks& chunks, bool worth, const Body& body) {
  std::array<double, Chunks::kLargest> partial;
  parallel_for(chunks.count(), worth, [&](std::int64_t chunk) {
    partial[static_cast<std::size_t>(chunk)] = body(chunks.begin(chunk), chunks.end(chunk));
  });
  double total = 0;
  for (std::int64_t chunk = 0; chunk < chunks.count(); ++chunk)
    total += partial[static_cast<std::size_t>(chunk)];
  return total;
}

}  // namespace gpuvae::kernels

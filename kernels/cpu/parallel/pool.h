// The thread pool that runs every parallel loop of the CPU backend.
//
// A loop consists of pieces whose bounds depend on the shape of the data alone. The calling thread takes
// pieces from the front, and helper threads take them from the back. Only who computes a piece depends on the
// threads, so results have the same bits for any number of threads.
#pragma once

#include <cstdint>

namespace gpuvae::kernels {

// The largest number of pieces of one loop.
inline constexpr std::int64_t kMaxPieces = 65'535;

// The number of threads that a loop may use, the calling one included. See gpuvae/threads.h.
int num_threads();
void set_num_threads(int threads);

// Calls run(body, i) once for each i in 0, ..., count - 1, on up to num_threads() threads, and returns when
// all calls have returned. count is at most kMaxPieces. If a call throws, one of the exceptions is thrown
// again after the others have returned. Any thread may call this function at any time: in a piece of another
// loop, or while another thread's loop runs, all pieces run on the calling thread.
void run_pieces(std::int64_t count, void (*run)(const void* body, std::int64_t piece), const void* body);

// While an object of this class exists, the loops of the thread that made it run on that thread alone.
class SingleThread {
 public:
  SingleThread();
  ~SingleThread();
  SingleThread(const SingleThread&) = delete;
  SingleThread& operator=(const SingleThread&) = delete;

 private:
  bool outer_;
};

}  // namespace gpuvae::kernels

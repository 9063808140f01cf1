// Keeps oneDNN from starting threads.
#pragma once

// The functions of the OpenMP runtime that oneDNN uses, if it uses one. Weak references bind to the same
// runtime as oneDNN's and need no header or library of OpenMP.
extern "C" {
[[gnu::weak]] int omp_get_max_threads();
[[gnu::weak]] void omp_set_num_threads(int);
}

namespace gpuvae::kernels {

// While an object of this class exists, OpenMP code that this thread calls runs on this thread alone. The
// destructor restores the caller's setting.
class SequentialOpenMp {
 public:
  SequentialOpenMp() : threads_(omp_get_max_threads ? omp_get_max_threads() : 1) {
    if (threads_ != 1) omp_set_num_threads(1);
  }
  ~SequentialOpenMp() {
    if (threads_ != 1) omp_set_num_threads(threads_);
  }
  SequentialOpenMp(const SequentialOpenMp&) = delete;
  SequentialOpenMp& operator=(const SequentialOpenMp&) = delete;

 private:
  int threads_;
};

}  // namespace gpuvae::kernels

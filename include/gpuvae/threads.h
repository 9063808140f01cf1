// The number of threads of the CPU backend. Any thread may call these functions at any time.
//
// The library has one pool of threads per process, which the loops of all callers share: while one caller's
// loop uses it, loops of other callers run on their own threads. Results have the same bits for any number of
// threads. The pool works after fork(), and inside parallel regions of the caller (OpenMP, TBB, std::thread).
// It starts its threads when it first needs them, and blocks all signals in them. It works in a shared
// library that dlopen() loads. When a process exits or unloads such a library, no thread may be in a call of
// gpuvae, because oneDNN then frees the code of its products.
#pragma once

namespace gpuvae {

// Returns the largest number of threads that one call of the library uses, the calling thread included. It is
// GPUVAE_NUM_THREADS if that environment variable is set when the library first uses threads, and otherwise
// the number of processors in the affinity mask of that thread, limited by the CPU quota of the control
// group. On a busy machine, the library temporarily uses fewer. Throws Error if GPUVAE_NUM_THREADS is not a
// whole number of at least 1.
[[nodiscard]] int num_threads();

// Sets the largest number of threads, which also applies to calls that other threads make from now on. Throws
// Error if `threads` is less than 1.
void set_num_threads(int threads);

}  // namespace gpuvae

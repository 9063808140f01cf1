// Checks that work which is timed is really done.
#pragma once

#include <functional>
#include <vector>

#include "gpuvae/tensor.h"

namespace gpuvae::bench {

struct Work {
  // Does the work once on the current stream. If `outputs` is not null, it also receives the tensors that the
  // work wrote: new ones, or the same ones in each run. An output may share its memory with an input.
  std::function<void(std::vector<Tensor>* outputs)> run;
  // The tensors that the work reads. The f32 and u8 tensors among them influence every output, except for
  // constant ones of several.
  std::vector<Tensor> inputs = {};
  // Whether equal inputs give equal outputs. False if each run draws new noise.
  bool repeatable = true;
};

// Samples of the elements of each output: all elements, or the first, middle and last 1024.
using OutputSamples = std::vector<std::vector<double>>;

// Runs the work several times, also with other inputs, which it restores afterwards, and returns samples of
// its outputs. Throws Error "[check_work] ..." if
// - a run does not write an output, or an output changes after the run has returned;
// - outputs do not change with the inputs (a result was reused), or differ for equal inputs;
// - a run after a change of the inputs takes several times as long as a repeated run, because repeated runs
//   reuse a result;
// - a kernel is queued on another stream than the current one, whose time would not be measured.
// Nothing else may use the device in the meantime.
OutputSamples check_work(const Work& work, Device device);

// Throws Error if the outputs of two implementations differ by more than `tolerance`, relative to the largest
// element of each output.
void check_agreement(const OutputSamples& a, const OutputSamples& b, double tolerance);

}  // namespace gpuvae::bench

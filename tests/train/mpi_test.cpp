// Started by mpirun with several ranks: the losses equal those of one process, and all ranks hold the same
// parameters.
#include <cstdio>

#include "tests/train/ranks.h"

int main() {
  using namespace gpuvae;
  const auto ranks = mpi_communicator();
  if (!ranks) return 2;
  const RankRun alone = train_on(nullptr), run = train_on(ranks), again = train_on(ranks);
  const Tensor sum = Tensor::from(run.parameters, {static_cast<std::int64_t>(run.parameters.size())});
  const std::vector<float> own = sum.to_vector();
  ranks->sum(sum);
  bool same = true;  // the sum of equal values, for 1, 2, 4, ... ranks without rounding
  const std::vector<float> total = sum.to_vector();
  for (std::size_t i = 0; i < own.size(); ++i)
    same = same && total[i] == own[i] * static_cast<float>(ranks->size());
  const double error = difference(alone, run);
  if (ranks->rank() == 0)
    std::printf("%d ranks: relative difference %.2g, same parameters %d, repeatable %d\n", ranks->size(),
                error, same, run.parameters == again.parameters);
  return !(error <= 1e-6) || !same || run.parameters != again.parameters;
}

// Exemplars that a model gets after it was made. The C interface and the Python package make or load a model
// before they know the rows of its training set.
#pragma once

#include <memory>
#include <mutex>

#include "gpuvae/exemplar_prior.h"

namespace gpuvae {

// The exemplars of a prior, and how they become examples.
struct ExemplarSet {
  Dataset examples;
  ExemplarOptions options;
};

// Holds the exemplars of one model, or none. Any thread may call its functions.
class ExemplarSlot {
 public:
  // Throws Error for fewer than 2 exemplars per step.
  explicit ExemplarSlot(std::int64_t per_step);

  // Replaces the exemplars. `examples` are on the model's device and have its columns, and `data` is that of
  // ExemplarOptions. Throws Error for examples that are read from a source and for fewer than 2.
  void set(const Dataset& examples, const BatchOptions& data);
  // Returns the exemplars, or null if there are none.
  std::shared_ptr<const ExemplarSet> get() const;

 private:
  std::int64_t per_step_;
  mutable std::mutex mutex_;
  std::shared_ptr<const ExemplarSet> set_;
};

// Returns an exemplar prior with the exemplars of `slot`, which its clones share, so that one model uses a
// slot. Densities and draws throw Error while the slot is empty.
std::shared_ptr<Prior> exemplar_prior(std::shared_ptr<const ExemplarSlot> slot);

}  // namespace gpuvae

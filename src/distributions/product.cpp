// A product of likelihoods, one per block of columns.
#include <algorithm>
#include <cmath>

#include "gpuvae/distributions.h"
#include "kernels/check.h"

namespace gpuvae {
namespace {

class Product final : public Likelihood {
 public:
  Product(std::vector<ColumnBlock> blocks, double reference)
      : blocks_(std::move(blocks)), reference_(reference) {
    std::int64_t first = 0;
    for (const ColumnBlock& b : blocks_) {
      if (!b.likelihood) library_ = first;
      first += b.columns;
    }
  }
  std::string name() const override {
    std::string text = "product of";
    for (const ColumnBlock& b : blocks_)
      if (b.likelihood)
        text += fmt::format("{} {} ({})", &b == &blocks_[0] ? "" : ",", b.likelihood->name(), b.columns);
    return text;
  }
  std::shared_ptr<Likelihood> clone() const override {
    return std::make_shared<Product>(blocks_, reference_);  // initialize() clones the blocks
  }
  std::int64_t outputs(std::int64_t features) const override {
    std::int64_t columns = 0, outputs = 0;
    for (const ColumnBlock& b : blocks_) {
      columns += b.columns;
      if (b.likelihood) outputs += b.likelihood->outputs(b.columns);
    }
    check(columns == features, "product", "expected types of {} columns, got types of {}", features, columns);
    return outputs;
  }
  bool supports_missing_values() const override {
    return all_blocks([](const Likelihood& l) { return l.supports_missing_values(); });
  }
  bool is_density() const override {
    return !all_blocks([](const Likelihood& l) { return !l.is_density(); });
  }

  // The parameters of block 2 are named "likelihood.2.log_inverse_dispersion", and so on.
  void initialize(const ModelContext& context) override {
    for (ColumnBlock& b : blocks_) {
      if (!b.likelihood) continue;
      const std::shared_ptr<Likelihood> own = b.likelihood->clone();
      if (!own) continue;
      ModelContext of_block = context;
      of_block.features = b.columns;
      own->initialize(of_block);
      b.likelihood = own;
    }
  }
  void collect(std::vector<Parameter>& into) const override {
    constexpr std::string_view kPrefix = "likelihood.";
    for (std::size_t i = 0; i < blocks_.size(); ++i) {
      if (!blocks_[i].likelihood) continue;
      std::vector<Parameter> of_block;
      blocks_[i].likelihood->collect(of_block);
      for (Parameter& p : of_block) {
        const std::string last = p.name.starts_with(kPrefix) ? p.name.substr(kPrefix.size()) : p.name;
        p.name = fmt::format("{}{}.{}", kPrefix, i, last);
        into.push_back(std::move(p));
      }
    }
  }

  Variable encoder_input(const Variable& x) const override {
    std::vector<Variable> parts;
    std::int64_t first = 0;
    for (const ColumnBlock& b : blocks_) {
      const Variable part = columns(x, first, b.columns);
      parts.push_back(b.likelihood ? b.likelihood->encoder_input(part) : log1p(part));
      first += b.columns;
    }
    return concat(parts, Axis::columns);
  }

  Variable log_density(const Variable& params, const Variable& x) const override {
    const std::int64_t rows = x.shape()[0];
    const Variable shift = log_library(x, rows > 0 ? params.shape()[0] / rows : 1);
    Variable total;
    for_blocks(params, [&](const ColumnBlock& b, const Variable& own, std::int64_t first) {
      const Variable term = b.likelihood->log_density(shifted(b, own, shift), columns(x, first, b.columns));
      total = total ? total + term : term;
    });
    return total;
  }
  Variable negative_log_likelihood(const Variable& params, const Variable& x, double weight) const override {
    const Variable shift = log_library(x, 1);
    Variable total;
    for_blocks(params, [&](const ColumnBlock& b, const Variable& own, std::int64_t first) {
      const Variable term =
          b.likelihood->negative_log_likelihood(shifted(b, own, shift), columns(x, first, b.columns), weight);
      total = total ? total + term : term;
    });
    return total;
  }
  Variable mean(const Variable& params) const override {
    return joined(
        params, library_of({}, params),
        [](const ColumnBlock& b, const Variable& own, std::int64_t) { return b.likelihood->mean(own); });
  }
  Variable mean_given(const Variable& params, const Variable& x) const override {
    const Variable shift = log_library(x, 1);
    return joined(params, library_of(x, params),
                  [&](const ColumnBlock& b, const Variable& own, std::int64_t) {
                    return b.likelihood->mean(shifted(b, own, shift));
                  });
  }
  // Each block uses a different seed, because blocks would otherwise share random numbers.
  Tensor sample(const Variable& params, const Noise& noise) const override {
    const NoGradGuard no_grad;
    return joined(params, library_of({}, params),
                  [&](const ColumnBlock& b, const Variable& own, std::int64_t first) {
                    Noise of_block = noise;
                    of_block.seed += static_cast<std::uint64_t>(first) * 0x9E3779B97F4A7C15;
                    return Variable(b.likelihood->sample(own, of_block));
                  })
        .value();
  }

  // The outputs of each block. The means of counts are those at the mean library size.
  std::vector<double> outputs_of_mean(std::span<const double> means) const override {
    const double library = library_ < 0 ? 1 : means[static_cast<std::size_t>(library_)] / reference_;
    std::vector<double> all;
    std::size_t first = 0;
    for (const ColumnBlock& b : blocks_) {
      const auto of_block = means.subspan(first, static_cast<std::size_t>(b.columns));
      first += of_block.size();
      if (!b.likelihood) continue;
      std::vector<double> scaled(of_block.begin(), of_block.end());
      if (b.likelihood->is_count() && library > 0)
        for (double& m : scaled) m /= library;
      const std::vector<double> outputs = b.likelihood->outputs_of_mean(scaled);
      if (std::ssize(outputs) != b.likelihood->outputs(b.columns)) return {};
      all.insert(all.end(), outputs.begin(), outputs.end());
    }
    return all;
  }

 private:
  template <class Test>
  bool all_blocks(const Test& test) const {
    return std::ranges::all_of(blocks_,
                               [&](const ColumnBlock& b) { return !b.likelihood || test(*b.likelihood); });
  }
  // Calls use(block, parameters of the block, first column) for each block with a likelihood.
  template <class Use>
  void for_blocks(const Variable& params, const Use& use) const {
    std::int64_t column = 0, output = 0;
    for (const ColumnBlock& b : blocks_) {
      if (b.likelihood) {
        const std::int64_t outputs = b.likelihood->outputs(b.columns);
        use(b, columns(params, output, outputs), column);
        output += outputs;
      }
      column += b.columns;
    }
  }
  // Concatenates value(block, parameters, first column) over all blocks, and the column of library sizes.
  template <class Value>
  Variable joined(const Variable& params, const Variable& library, const Value& value) const {
    std::vector<Variable> parts;
    const auto add_library = [&] { parts.push_back(library); };
    for_blocks(params, [&](const ColumnBlock& b, const Variable& own, std::int64_t first) {
      if (library_ >= 0 && first == library_ + 1) add_library();
      parts.push_back(value(b, own, first));
    });
    if (!blocks_.empty() && !blocks_.back().likelihood) add_library();
    return concat(parts, Axis::columns);
  }
  // Returns the library size of each row, [rows, 1], or the reference where x or its library size is missing.
  Variable library_of(const Variable& x, const Variable& params) const {
    const Variable reference =
        Tensor::full({params.shape()[0], 1}, reference_, params.dtype(), params.device());
    if (!x || library_ < 0) return reference;
    const Variable sizes = columns(x, library_, 1);
    return fill_missing(sizes) + reference * (1 - is_observed(sizes));
  }
  // Returns log(L / reference) per row of the parameters, [rows * n, 1], which is 0 where L is missing; or
  // nothing without a library size.
  Variable log_library(const Variable& x, std::int64_t n) const {
    if (library_ < 0) return {};
    const NoGradGuard no_grad;
    const Variable shift = fill_missing(log(columns(x, library_, 1) / reference_));
    return n == 1 ? shift : Variable(repeat_rows(shift.value(), n));
  }
  // Adds the shift to the log means of counts.
  static Variable shifted(const ColumnBlock& b, const Variable& params, const Variable& shift) {
    if (!shift || !b.likelihood->is_count()) return params;
    const std::int64_t all = params.shape()[1];
    const Variable log_means = columns(params, 0, b.columns) + shift;
    if (all == b.columns) return log_means;
    return concat({log_means, columns(params, b.columns, all - b.columns)}, Axis::columns);
  }

  std::vector<ColumnBlock> blocks_;
  double reference_;
  std::int64_t library_ = -1;  // the column of the library size, or -1
};

}  // namespace

std::shared_ptr<Likelihood> product_likelihood(std::vector<ColumnBlock> blocks, double library_reference) {
  check(library_reference > 0 && std::isfinite(library_reference), "product",
        "expected a library reference above 0, got {}", library_reference);
  int libraries = 0, likelihoods = 0;
  for (const ColumnBlock& b : blocks) {
    check(b.columns >= 1, "product", "expected blocks of 1 or more columns, got {}", b.columns);
    if (b.likelihood) {
      ++likelihoods;
      static_cast<void>(b.likelihood->outputs(b.columns));  // throws Error if it does not fit
    } else {
      ++libraries;
      check(b.columns == 1, "product", "expected one column as the library size, got {}", b.columns);
    }
  }
  check(likelihoods >= 1 && libraries <= 1, "product",
        "expected a block with a likelihood, and at most one without, got {} and {}", likelihoods, libraries);
  return std::make_shared<Product>(std::move(blocks), library_reference);
}

}  // namespace gpuvae

// Runs the launches of a stream. A programmatic launch starts as early as possible: when all blocks of its
// predecessor have executed launch_dependents or ended. Newer grids run first, so a dependent grid reaches
// its griddepcontrol.wait before its predecessor continues. griddepcontrol.wait ends when the predecessor is
// complete. Earlier grids are known to be complete only if the predecessor itself has waited for them.
#include <algorithm>
#include <bit>
#include <list>
#include <numeric>

#include "grid.h"

namespace ptx {
namespace {
constexpr std::size_t kUnpublished = 64;  // blocks whose stores are withheld after their end
}  // namespace

void Completed::add(std::uint32_t id) {
  if (contains(id)) return;
  if (id - all_before_ >= 64) throw Error("[ptx::run] expected at most 64 overlapping grids, got more");
  later_ |= 1ull << (id - all_before_);
  normalise();
}

void Completed::merge(const Completed& other) {
  const std::uint32_t base = std::max(all_before_, other.all_before_);
  const auto shifted = [base](const Completed& c) {
    return base - c.all_before_ < 64 ? c.later_ >> (base - c.all_before_) : 0;
  };
  later_ = shifted(*this) | shifted(other);
  all_before_ = base;
  normalise();
}

void Completed::normalise() {
  const int ones = std::countr_one(later_);
  all_before_ += static_cast<std::uint32_t>(ones);
  later_ = ones == 64 ? 0 : later_ >> ones;
}

Completed Grid::when_complete() const {
  Completed all = known(any_waited);
  all.merge(at_trigger);
  all.add(id);
  return all;
}

void Grid::keep_stores(StoreBuffer stores) {
  unpublished.push_back(std::move(stores));
  if (unpublished.size() <= kUnpublished) return;
  unpublished.front().publish_all();
  unpublished.pop_front();
}

void Grid::publish_all() {
  for (StoreBuffer& stores : unpublished) stores.publish_all();
  unpublished.clear();
}

namespace {

constexpr std::size_t kInterleaved = 4;  // blocks that run at the same time in random order

void check_shape(const Launch& launch) {
  const Kernel& k = *launch.kernel;
  if (launch.grid.count() == 0 || launch.block.count() == 0 || launch.block.count() > 1024)
    throw Error(readable_name(k.name) +
                ": expected a grid of 1 or more blocks and 1 to 1024 threads per block, got grid size " +
                std::to_string(launch.grid.count()) + " and block size " +
                std::to_string(launch.block.count()));
  if (launch.block.count() > k.syntax->max_threads)
    throw Error(readable_name(k.name) + ": expected at most " + std::to_string(k.syntax->max_threads) +
                " threads per block (__launch_bounds__), got " + std::to_string(launch.block.count()));
}

// A grid that has started.
class Running {
 public:
  Running(Memory& memory, const Launch& launch, const Options& options, std::size_t place);

  Grid grid;
  const std::size_t place;  // among the launches
  bool complete() const { return ended_ == grid.launch->grid.count(); }
  bool triggered() const { return grid.triggered_blocks == grid.launch->grid.count(); }
  void resume();
  // Runs until nothing can continue, or in random order for one turn of a block. Returns whether anything
  // ran.
  bool advance();
  Counters finish();

 private:
  bool start_blocks();
  std::list<Block>::iterator pick();

  std::list<Block> runnable_, halted_;
  std::vector<unsigned> order_;
  std::size_t next_ = 0, ended_ = 0;
};

Running::Running(Memory& memory, const Launch& launch, const Options& options, std::size_t at) : place(at) {
  check_shape(launch);
  const Kernel& k = *launch.kernel;
  grid.memory = &memory;
  grid.launch = &launch;
  grid.kernel = &k;
  grid.options = options;
  grid.id = memory.next_launch();
  grid.shared_bytes = k.static_shared + launch.dynamic_shared;
  grid.instructions_left = options.watchdog;
  grid.hits.assign(k.code.size(), nullptr);
  grid.parameter_checked.assign(k.code.size(), 0);
  grid.executed.assign(k.code.size(), 0);
  if (options.order == Order::random) grid.random.seed(options.seed);
  grid.counters.kernel = k.name;
  grid.counters.launches = 1;
  grid.counters.blocks = launch.grid.count();
  grid.counters.warps = launch.grid.count() * ((launch.block.count() + kLanes - 1) / kLanes);
  for (const auto& [name, v] : k.program->syntax.variables)
    if (v.space == Space::global) memory.adopt(reinterpret_cast<void*>(v.address), v.size, v.name);
  order_.resize(launch.grid.count());
  std::iota(order_.begin(), order_.end(), 0u);
  if (options.order == Order::random) std::shuffle(order_.begin(), order_.end(), grid.random);
  if (options.order == Order::descending) std::reverse(order_.begin(), order_.end());
}

void Running::resume() {
  for (Block& b : halted_) b.resume();
  runnable_.splice(runnable_.end(), halted_);
}

// Starts blocks up to the number that may run at the same time. Returns whether one can run.
bool Running::start_blocks() {
  const std::size_t most = grid.options.order == Order::random ? kInterleaved : 1;
  while (runnable_.size() < most && next_ < order_.size()) {
    std::list<Block>& spare = grid.memory->spare_blocks().blocks;
    if (spare.empty()) spare.emplace_back();
    runnable_.splice(runnable_.end(), spare, spare.begin());
    runnable_.back().start(grid, order_[next_++]);
    grid.residents.push_back(&runnable_.back());
  }
  return !runnable_.empty();
}

std::list<Block>::iterator Running::pick() {
  if (grid.options.order != Order::random) return runnable_.begin();
  return std::next(runnable_.begin(), static_cast<std::ptrdiff_t>(grid.random() % runnable_.size()));
}

bool Running::advance() {
  std::list<Block>& spare = grid.memory->spare_blocks().blocks;
  bool progress = false;
  while (start_blocks()) {
    progress = true;
    const auto block = pick();
    switch (block->run()) {
      case Outcome::done:
        ++ended_;
        std::erase(grid.residents, &*block);
        spare.splice(spare.begin(), runnable_, block);
        break;
      case Outcome::blocked:
      case Outcome::paused:
        halted_.splice(halted_.end(), runnable_, block);
        break;
      case Outcome::running:
        return true;
    }
  }
  return progress;
}

Counters Running::finish() {
  grid.publish_all();
  Counters& c = grid.counters;
  for (std::size_t k = 0; k < grid.executed.size(); ++k)
    c.instructions[std::size_t(grid.kernel->classes[k])] += grid.executed[k];
  c.warp_instructions = std::accumulate(c.instructions.begin(), c.instructions.end(), std::uint64_t(0));
  c.executed = std::move(grid.executed);
  return std::move(c);
}

class Stream {
 public:
  Stream(Memory& memory, std::span<const Launch> launches, const Options& options)
      : memory_(memory), launches_(launches), options_(options), results_(launches.size()) {}

  std::vector<Counters> run() {
    while (next_ < launches_.size() || !grids_.empty()) {
      while (may_start()) start();
      advance();
    }
    return std::move(results_);
  }

 private:
  bool may_start() const {
    if (next_ == launches_.size()) return false;
    if (grids_.empty()) return true;
    const bool predecessor_runs = grids_.back()->place + 1 == next_;
    return launches_[next_].programmatic && (!predecessor_runs || grids_.back()->triggered());
  }

  void start() {
    auto now = std::make_unique<Running>(memory_, launches_[next_], options_, next_);
    Grid& grid = now->grid;
    if (next_ == 0) first_ = grid.id;
    grid.first_of_run = first_;
    const bool predecessor_runs = !grids_.empty() && grids_.back()->place + 1 == next_;
    if (next_ == 0 || !launches_[next_].programmatic) {
      grid.at_start = grid.after_wait = Completed(grid.id);
    } else if (predecessor_runs) {
      grid.at_start = grids_.back()->grid.at_trigger;
      grid.predecessor_complete = false;
      grids_.back()->grid.pauses_at_trigger = false;
    } else {
      grid.at_start = last_trigger_;
      grid.after_wait = last_complete_;
    }
    ++next_;
    grid.pauses_at_trigger = next_ < launches_.size() && launches_[next_].programmatic;
    if (predecessor_runs) grids_.back()->resume();
    grids_.push_back(std::move(now));
  }

  // Runs the newest runnable grid, or any runnable grid in random order.
  void advance() {
    std::vector<std::size_t> order(grids_.size());
    for (std::size_t k = 0; k < order.size(); ++k) order[k] = order.size() - 1 - k;
    if (options_.order == Order::random) std::shuffle(order.begin(), order.end(), grids_.back()->grid.random);
    for (const std::size_t k : order) {
      if (!grids_[k]->advance()) continue;
      if (grids_[k]->complete()) retire(k);
      return;
    }
    grids_.back()->grid.fail_hang();
  }

  void retire(std::size_t k) {
    const std::unique_ptr<Running> ended = std::move(grids_[k]);
    grids_.erase(grids_.begin() + static_cast<std::ptrdiff_t>(k));
    const Completed known = ended->grid.when_complete();
    if (ended->place + 1 == next_) {
      last_complete_ = known;
      last_trigger_ = ended->grid.at_trigger;
    } else if (k < grids_.size() && grids_[k]->place == ended->place + 1) {
      grids_[k]->grid.after_wait = known;
      grids_[k]->grid.predecessor_complete = true;
      grids_[k]->resume();
    }
    results_[ended->place] = ended->finish();
  }

  Memory& memory_;
  std::span<const Launch> launches_;
  const Options& options_;
  std::vector<Counters> results_;
  std::vector<std::unique_ptr<Running>> grids_;  // running grids, oldest first
  std::size_t next_ = 0;
  std::uint32_t first_ = 0;                 // id of the first launch
  Completed last_complete_, last_trigger_;  // of the last launched grid, after it has ended
};

}  // namespace

std::vector<Counters> run(Memory& memory, std::span<const Launch> launches, const Options& options) {
  return Stream(memory, launches, options).run();
}

}  // namespace ptx

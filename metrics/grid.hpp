#pragma once
// A family of metrics whose labels are words of enums: children are found by indices, without hashing or locking.
//
// Small grids have every child from the start, at 0. Large ones begin with one child per label word (so that the family
// and all its words are exposed) and make the others on first use. Thread-safe. References and grids live as long as
// the registry.

#include <prometheus/counter.h>
#include <prometheus/family.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>

#include <atomic>
#include <initializer_list>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace tankard::metrics {

struct axis {
  std::string label;
  std::vector<std::string> words;
};

/// Positions of a grid: which words belong to a slot. Pure.
class grid_shape {
 public:
  static constexpr std::size_t npos = static_cast<std::size_t>(-1);
  explicit grid_shape(std::vector<axis> axes);

  std::size_t size() const noexcept { return size_; }
  /// npos where an index is out of its axis.
  std::size_t slot(std::initializer_list<std::size_t> indices) const noexcept;
  prometheus::Labels labels(std::size_t slot) const;
  /// Every slot where there are at most `limit`, else one for each word.
  std::vector<std::size_t> first_slots(std::size_t limit) const;

 private:
  std::vector<axis> axes_;
  std::size_t size_ = 1;
};

class counter_grid {
 public:
  counter_grid(prometheus::Registry& registry, const char* name, const char* help, std::vector<axis> axes);
  /// Indices in the order of the axes. One out of range is dropped.
  void add(std::initializer_list<std::size_t> indices, double n = 1) noexcept;

 private:
  prometheus::Counter& child(std::size_t slot);
  grid_shape shape_;
  prometheus::Family<prometheus::Counter>& family_;
  std::vector<std::atomic<prometheus::Counter*>> children_;
};

class histogram_grid {
 public:
  histogram_grid(prometheus::Registry& registry, const char* name, const char* help, std::vector<axis> axes,
                 std::span<const double> buckets);
  void observe(std::initializer_list<std::size_t> indices, double value) noexcept;

 private:
  prometheus::Histogram& child(std::size_t slot);
  grid_shape shape_;
  std::vector<double> buckets_;
  prometheus::Family<prometheus::Histogram>& family_;
  std::vector<std::atomic<prometheus::Histogram*>> children_;
};

}  // namespace tankard::metrics

#include "metrics/grid.hpp"

#include <algorithm>

namespace tankard::metrics {
namespace {

constexpr std::size_t max_first_counters = 256;
constexpr std::size_t max_first_histograms = 16;

}  // namespace

grid_shape::grid_shape(std::vector<axis> axes) : axes_(std::move(axes)) {
  for (auto const& a : axes_) size_ *= a.words.size();
}

std::size_t grid_shape::slot(std::initializer_list<std::size_t> indices) const noexcept {
  std::size_t at = 0, i = 0;
  for (auto const index : indices) {
    if (i == axes_.size() || index >= axes_[i].words.size()) return npos;
    at = at * axes_[i++].words.size() + index;
  }
  return i == axes_.size() ? at : npos;
}

prometheus::Labels grid_shape::labels(std::size_t slot) const {
  prometheus::Labels out;
  for (auto a = axes_.rbegin(); a != axes_.rend(); ++a) {
    out[a->label] = a->words[slot % a->words.size()];
    slot /= a->words.size();
  }
  return out;
}

std::vector<std::size_t> grid_shape::first_slots(std::size_t limit) const {
  std::vector<std::size_t> out;
  if (size_ <= limit) {
    for (std::size_t s = 0; s < size_; ++s) out.push_back(s);
    return out;
  }
  std::size_t stride = size_;
  for (auto const& a : axes_) {
    stride /= a.words.size();
    for (std::size_t word = 0; word < a.words.size(); ++word) out.push_back(word * stride);
  }
  return out;
}

counter_grid::counter_grid(prometheus::Registry& registry, const char* name, const char* help, std::vector<axis> axes)
    : shape_(std::move(axes)),
      family_(prometheus::BuildCounter().Name(name).Help(help).Register(registry)),
      children_(shape_.size()) {
  for (auto const s : shape_.first_slots(max_first_counters)) child(s);
}

prometheus::Counter& counter_grid::child(std::size_t slot) {
  auto& place = children_[slot];
  if (auto* const known = place.load(std::memory_order_acquire)) return *known;
  auto& made = family_.Add(shape_.labels(slot));  // the same one where two threads come here at once
  place.store(&made, std::memory_order_release);
  return made;
}

void counter_grid::add(std::initializer_list<std::size_t> indices, double n) noexcept {
  auto const slot = shape_.slot(indices);
  if (slot != grid_shape::npos) child(slot).Increment(n);
}

histogram_grid::histogram_grid(prometheus::Registry& registry, const char* name, const char* help,
                               std::vector<axis> axes, std::span<const double> buckets)
    : shape_(std::move(axes)),
      buckets_(buckets.begin(), buckets.end()),
      family_(prometheus::BuildHistogram().Name(name).Help(help).Register(registry)),
      children_(shape_.size()) {
  for (auto const s : shape_.first_slots(max_first_histograms)) child(s);
}

prometheus::Histogram& histogram_grid::child(std::size_t slot) {
  auto& place = children_[slot];
  if (auto* const known = place.load(std::memory_order_acquire)) return *known;
  auto& made = family_.Add(shape_.labels(slot), buckets_);
  place.store(&made, std::memory_order_release);
  return made;
}

void histogram_grid::observe(std::initializer_list<std::size_t> indices, double value) noexcept {
  auto const slot = shape_.slot(indices);
  if (slot != grid_shape::npos) child(slot).Observe(value);
}

}  // namespace tankard::metrics

#pragma once
// Something remembered per name, at most so many: the one not touched for longest goes first. Not thread-safe.

#include <cstddef>
#include <list>
#include <string>
#include <unordered_map>
#include <utility>

namespace tankard::proxy::upstream {

template <class T>
class bounded_marks {
 public:
  using entry = std::pair<std::string, T>;

  explicit bounded_marks(std::size_t max) : max_(max) {}

  T* find(const std::string& name) {
    auto const at = index_.find(name);
    return at == index_.end() ? nullptr : &at->second->second;
  }
  const T* find(const std::string& name) const { return const_cast<bounded_marks*>(this)->find(name); }

  /// The mark of that name, now the youngest; made from `fresh` where there was none. The reference holds until the
  /// next call.
  T& touch(const std::string& name, T fresh) {
    if (auto const at = index_.find(name); at != index_.end()) {
      order_.splice(order_.end(), order_, at->second);
      return at->second->second;
    }
    if (!order_.empty() && order_.size() >= max_) erase(order_.front().first);
    order_.emplace_back(name, std::move(fresh));
    index_.emplace(name, std::prev(order_.end()));
    return order_.back().second;
  }

  void erase(const std::string& name) {
    auto const at = index_.find(name);
    if (at == index_.end()) return;
    auto const node = at->second;  // `name` may live in it
    index_.erase(at);
    order_.erase(node);
  }

  std::size_t size() const noexcept { return order_.size(); }
  auto begin() noexcept { return order_.begin(); }
  auto end() noexcept { return order_.end(); }
  auto begin() const noexcept { return order_.begin(); }
  auto end() const noexcept { return order_.end(); }

 private:
  std::size_t max_;
  std::list<entry> order_;  // oldest first
  std::unordered_map<std::string, typename std::list<entry>::iterator> index_;
};

}  // namespace tankard::proxy::upstream

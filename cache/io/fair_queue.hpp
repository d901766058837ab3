#pragma once
// Those who wait, in the order of their turns: keys in turn, within a key its clients in turn, each client's own in the
// order of their coming. Who is first stays first until he is served or leaves, whoever comes. Not thread-safe.

#include <algorithm>
#include <cstddef>
#include <list>
#include <string>
#include <unordered_map>

namespace tankard::cache {

template <class T>
class fair_queue {
 public:
  void push(const std::string& key, const std::string& client, T item) {
    auto& of_key = keys_.of(key);
    of_key.clients.of(client).push_back(std::move(item));
    ++of_key.size;
    ++size_;
  }
  /// REQUIRES of the next two: it is not empty.
  const T& front() const { return keys_.front().clients.front().front(); }
  /// Its key and its client have had their turn.
  void pop_front() {
    auto& key = keys_.front();
    key.clients.front().pop_front();
    if (key.clients.front().empty())
      key.clients.remove_front();
    else
      key.clients.front_to_back();
    --size_;
    if (--key.size == 0)
      keys_.remove_front();
    else
      keys_.front_to_back();
  }
  /// Nobody else's turn changes. REQUIRES: it was pushed so, and is there.
  void remove(const std::string& key, const std::string& client, const T& item) {
    auto& of_key = keys_.of(key);
    auto& items = of_key.clients.of(client);
    items.erase(std::find(items.begin(), items.end(), item));
    if (items.empty()) of_key.clients.remove(client);
    --size_;
    if (--of_key.size == 0) keys_.remove(key);
  }

  bool empty() const noexcept { return size_ == 0; }
  std::size_t size() const noexcept { return size_; }
  std::size_t size_of(const std::string& key) const {
    auto const* const found = keys_.find(key);
    return found == nullptr ? 0 : found->size;
  }

 private:
  /// Values by name, in an order that turns.
  template <class Value>
  class circle {
   public:
    /// Made, at the end, where there is none.
    Value& of(const std::string& name) {
      auto const [at, made] = places_.try_emplace(name);
      if (made) at->second = order_.insert(order_.end(), {name, {}});
      return at->second->value;
    }
    const Value* find(const std::string& name) const {
      auto const found = places_.find(name);
      return found == places_.end() ? nullptr : &found->second->value;
    }
    Value& front() { return order_.front().value; }
    const Value& front() const { return order_.front().value; }
    void front_to_back() { order_.splice(order_.end(), order_, order_.begin()); }
    void remove_front() {
      places_.erase(order_.front().name);
      order_.pop_front();
    }
    void remove(const std::string& name) {
      auto const at = places_.find(name);
      order_.erase(at->second);
      places_.erase(at);
    }

   private:
    struct member {
      std::string name;
      Value value;
    };
    std::list<member> order_;
    std::unordered_map<std::string, typename std::list<member>::iterator> places_;
  };
  struct of_key {
    circle<std::list<T>> clients;
    std::size_t size = 0;
  };

  circle<of_key> keys_;
  std::size_t size_ = 0;
};

}  // namespace tankard::cache

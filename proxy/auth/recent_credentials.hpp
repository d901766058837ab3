#pragma once
// The credentials of repositories that were asked for last. A name is on probation until its command has succeeded
// once: whoever is admitted may invent names, and they have a short list of their own, so that they push out nobody.
// What a command runs for is not forgotten before it has ended. Not thread-safe.

#include <algorithm>
#include <list>
#include <memory>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

namespace tankard::proxy::auth {

/// `Credential` says running().
template <class Credential>
class recent_credentials {
 public:
  using value = std::shared_ptr<Credential>;

  recent_credentials(std::size_t most_proven, std::size_t most_on_probation)
      : proven_(most_proven), probation_(most_on_probation) {}

  /// Null where it is not there.
  value find(const std::string& repository) {
    auto v = proven_.find(repository);
    return v ? v : probation_.find(repository);
  }
  /// On probation. False where commands run for all that are, and there is no room.
  bool add(const std::string& repository, value v) {
    if (!probation_.make_room()) return false;
    probation_.put(repository, std::move(v));
    return true;
  }
  /// Its command has succeeded.
  void prove(const std::string& repository) {
    auto v = probation_.take(repository);
    if (!v) return;
    proven_.make_room();  // where none is made, it is for runs that end soon
    proven_.put(repository, std::move(v));
  }
  std::vector<value> all() const {
    std::vector<value> out;
    proven_.add_to(out);
    probation_.add_to(out);
    return out;
  }

 private:
  /// The longest unused one is the last.
  class line {
   public:
    explicit line(std::size_t most) : most_(most) {}

    value find(const std::string& repository) {
      auto const it = index_.find(repository);
      if (it == index_.end()) return nullptr;
      order_.splice(order_.begin(), order_, it->second);
      return it->second->second;
    }
    void put(const std::string& repository, value v) {
      order_.emplace_front(repository, std::move(v));
      index_[repository] = order_.begin();
    }
    value take(const std::string& repository) {
      auto const it = index_.find(repository);
      if (it == index_.end()) return nullptr;
      auto v = std::move(it->second->second);
      order_.erase(it->second);
      index_.erase(it);
      return v;
    }
    bool make_room() {
      if (order_.size() < most_) return true;
      auto const idle =
          std::find_if(order_.rbegin(), order_.rend(), [](const entry& e) { return !e.second->running(); });
      if (idle == order_.rend()) return false;
      index_.erase(idle->first);
      order_.erase(std::next(idle).base());
      return true;
    }
    void add_to(std::vector<value>& out) const {
      for (auto const& [_, v] : order_) out.push_back(v);
    }

   private:
    using entry = std::pair<std::string, value>;
    const std::size_t most_;
    std::list<entry> order_;
    std::unordered_map<std::string, typename std::list<entry>::iterator> index_;
  };

  line proven_, probation_;
};

}  // namespace tankard::proxy::auth

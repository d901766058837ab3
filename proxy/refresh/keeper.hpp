#pragma once
// Keeps stores in shape: looks at those that changed, decides what each needs (cache::upkeep_need), and has the one
// that needs it most gone over, one at a time.
//
// A store is visited after it came or changed, and again when something about it comes of age: a change that waits for
// upkeep.interval, a former tip on lease, a failure. Others are not looked at. Lives on one executor; wake() from
// anywhere.

#include <map>
#include <string>

#include "cache/store/store_upkeep.hpp"
#include "proxy/refresh/alarm.hpp"
#include "proxy/services.hpp"

namespace tankard::proxy::refresh {

cache::upkeep_rules upkeep_rules_of(const config::upkeep& u);

class keeper {
 public:
  keeper(services& s, cache::store_upkeep& upkeep);

  awaitable<void> run();  ///< until stop()
  void wake() { alarm_.ring(); }
  void stop();  ///< ends git too. On the executor of run()
  /// Deletes packs that were replaced and that nobody reads any more. Not beside run().
  awaitable<void> drop_replaced();

 private:
  struct visit {
    cache::boot_point at;
    bool tips = false;      ///< also where nothing changed: former tips may be of age
    unsigned failures = 0;  ///< in a row
  };
  struct wanted {
    cache::upkeep_kind kind = cache::upkeep_kind::none;
    std::uint64_t bytes = 0;  ///< of the packs that are read, and so of the new ones at most
    unsigned failures = 0;    ///< in a row, before this
  };
  using folder = std::filesystem::path;

  void take_changed();
  awaitable<void> look_around();
  awaitable<void> look(folder at, visit v);
  struct former_tips {
    std::size_t expired = 0;
    bool left = false;  ///< some are on lease yet
  };
  awaitable<former_tips> expire(cache::repo_store_ptr store);
  awaitable<bool> go_over_one();
  awaitable<cache::upkeep_outcome> go_over(cache::repo_store_ptr store, wanted w);
  void tell(const cache::repo_store& store, wanted w, const cache::upkeep_outcome& done, cache::boot_point begun);
  void visit_again(const folder& at, std::chrono::nanoseconds in, bool tips, unsigned failures = 0);

  services& s_;
  cache::store_upkeep& upkeep_;
  const cache::upkeep_rules rules_;
  const std::chrono::nanoseconds tick_;
  alarm alarm_;
  bool stopping_ = false;
  bool first_ = true;                            ///< what was on disk at the start has not been taken in yet
  std::map<folder, visit> visits_;               ///< bounded by the stores
  std::map<folder, wanted> wanted_;              ///< what visits found, to be done
  std::vector<cache::repo_store_ptr> replaced_;  ///< with old packs that somebody may read still
};

}  // namespace tankard::proxy::refresh

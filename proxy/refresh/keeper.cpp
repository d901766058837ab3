#include "proxy/refresh/keeper.hpp"

#include <algorithm>

#include "proxy/refresh/expiring_tips.hpp"
#include "proxy/refresh/listing_service.hpp"

namespace tankard::proxy::refresh {
namespace {

using namespace std::chrono_literals;
using cache::upkeep_kind;
using cache::upkeep_result;

constexpr std::chrono::nanoseconds longest_tick = 1min;
constexpr std::chrono::nanoseconds readers_tick = 5s;  // while old packs wait for their readers
constexpr std::chrono::nanoseconds lease_look = 1h;    // how often former tips on lease are looked at
constexpr std::chrono::nanoseconds first_retry = 10min;
constexpr unsigned most_doublings = 8;
constexpr std::size_t looks_per_round = 256;

std::uint64_t bytes_to_read(const cache::upkeep_facts& f, upkeep_kind kind) {
  auto const* const base = kind == upkeep_kind::full ? nullptr : cache::base_of(f.packs);
  std::uint64_t sum = 0;
  for (auto const& pack : f.packs) sum += &pack == base ? 0 : pack.bytes;
  return sum;
}

}  // namespace

cache::upkeep_rules upkeep_rules_of(const config::upkeep& u) {
  return {.interval = u.interval, .max_packs = u.packs, .new_bytes = u.new_bytes};
}

keeper::keeper(services& s, cache::store_upkeep& upkeep)
    : s_(s),
      upkeep_(upkeep),
      rules_(upkeep_rules_of(s.settings.maintenance)),
      tick_(std::min(longest_tick, rules_.interval)) {}

void keeper::stop() {
  stopping_ = true;
  upkeep_.stop();
  alarm_.ring();
}

awaitable<void> keeper::run() {
  while (!stopping_) {
    take_changed();
    co_await look_around();
    co_await drop_replaced();
    bool const busy = !stopping_ && co_await go_over_one();
    if (busy || stopping_) continue;
    co_await alarm_.wait(replaced_.empty() ? tick_ : std::min(tick_, readers_tick));
  }
}

void keeper::take_changed() {
  bool const found = std::exchange(first_, false);
  for (auto& at : s_.stores.take_changed(static_cast<std::size_t>(-1))) {
    auto& v = visits_[std::move(at)];
    if (v.failures == 0) v.at = s_.clock.now();  // else it waits for its next attempt
    v.tips = v.tips || found;
  }
}

void keeper::visit_again(const folder& at, std::chrono::nanoseconds in, bool tips, unsigned failures) {
  visits_[at] = {s_.clock.now() + in, tips, failures};
}

awaitable<void> keeper::look_around() {
  std::vector<std::pair<folder, visit>> due;
  auto const now = s_.clock.now();
  for (auto it = visits_.begin(); it != visits_.end() && due.size() < looks_per_round;) {
    auto const here = it++;
    if (here->second.at > now) continue;
    due.emplace_back(here->first, here->second);
    visits_.erase(here);
  }
  for (auto const& [at, v] : due) {
    if (stopping_) co_return;
    co_await look(at, v);
  }
  if (due.size() == looks_per_round) alarm_.ring();  // there are more
}

/// Decides what one store needs, and when it is to be visited again.
awaitable<void> keeper::look(folder at, visit v) {
  auto facts_of = [this, &at] { return cache::upkeep_facts_of(at, s_.clock.wall_now()); };
  auto facts = co_await s_.pool.run(facts_of);
  wanted_.erase(at);
  if (!facts) co_return;  // it went
  auto need = cache::upkeep_need(*facts, rules_);
  bool const nothing_new = need == upkeep_kind::none && !facts->changed;
  if (nothing_new && !v.tips) co_return;
  auto find = [this, &at] { return s_.stores.look_at(at); };
  auto const store = co_await s_.pool.run(std::move(find));
  if (!store) co_return;
  if (store->has_replaced_packs()) co_return visit_again(at, readers_tick, v.tips, v.failures);
  auto const former = co_await expire(store);
  if (need != upkeep_kind::full && (former.expired > 0 || need == upkeep_kind::geometric)) {
    auto const dead = co_await upkeep_.dead_bytes(store);
    if (dead) facts->dead_bytes = *dead;
    need = cache::upkeep_need(*facts, rules_);
  }
  if (need != upkeep_kind::none) {
    wanted_[at] = {need, bytes_to_read(*facts, need), v.failures};
  } else if (facts->changed) {
    visit_again(at, std::max<std::chrono::nanoseconds>(rules_.interval - facts->since_last, tick_), true);
  } else if (former.left) {
    visit_again(at, std::min(lease_look, rules_.interval), true);
  }
}

/// Takes former tips whose lease has ended out of the ledger.
awaitable<keeper::former_tips> keeper::expire(cache::repo_store_ptr store) {
  auto look = [&store] { return unshown_tips(store->view()); };  // before the listing, which does not judge later ones
  auto const unshown = co_await s_.pool.run(std::move(look));
  if (unshown.empty()) co_return former_tips{};
  auto const listed = co_await s_.listing->find(store->key());
  if (!listed || listed->generation != store->generation()) co_return former_tips{0, true};
  auto job = [this, &store, &unshown, &listed] {
    auto const gone = expired_tips(unshown, *listed, s_.clock);
    auto const expired = store->expire_tips(gone);
    return former_tips{expired ? *expired : 0, gone.size() < unshown.size()};
  };
  co_return co_await s_.pool.run(std::move(job));
}

/// False where there is nothing to do.
awaitable<bool> keeper::go_over_one() {
  auto const urgency = [](const auto& w) { return std::pair(w.second.kind, w.second.bytes); };
  auto const it = std::ranges::max_element(wanted_, {}, urgency);
  if (it == wanted_.end()) co_return false;
  auto const [at, w] = *it;
  wanted_.erase(it);
  auto find = [this, &at] { return s_.stores.look_at(at); };
  auto const store = co_await s_.pool.run(std::move(find));
  if (!store || store->has_replaced_packs()) co_return true;
  auto const begun = s_.clock.now();
  auto const done = co_await go_over(store, w);
  tell(*store, w, done, begun);
  if (done.result == upkeep_result::ok) {
    if (store->has_replaced_packs()) replaced_.push_back(store);
    visit_again(at, std::min(lease_look, rules_.interval), true);
  } else {
    visit_again(at, first_retry * (1u << std::min(w.failures, most_doublings)), true, w.failures + 1);
  }
  co_return true;
}

awaitable<cache::upkeep_outcome> keeper::go_over(cache::repo_store_ptr store, wanted w) {
  auto room = [this, &w] { return s_.disk.make_room(w.bytes); };
  bool const fits = co_await s_.pool.run(std::move(room));
  if (!fits) co_return cache::upkeep_outcome{upkeep_result::no_space, "no room for new packs beside the old ones"};
  co_return co_await upkeep_.run(std::move(store), w.kind);
}

awaitable<void> keeper::drop_replaced() {
  std::vector<cache::repo_store_ptr> left, looked_at;
  looked_at.swap(replaced_);
  for (auto& store : looked_at) {
    auto const dropped = co_await upkeep_.drop_replaced(store);
    if (dropped == cache::drop_result::in_use) left.push_back(std::move(store));
  }
  replaced_ = std::move(left);
}

void keeper::tell(const cache::repo_store& store, wanted w, const cache::upkeep_outcome& done,
                  cache::boot_point begun) {
  auto const took = s_.clock.now() - begun;
  s_.meters.upkeep_done(static_cast<std::size_t>(done.result), took);
  auto const ms = static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::milliseconds>(took).count());
  bool const bad = done.result == upkeep_result::failed || done.result == upkeep_result::no_space;
  auto const repo = store.key().text();
  s_.logs.log_event(bad ? log::level::warning : log::level::info, "store-upkeep",
                    {{"repo", repo},
                     {"kind", cache::to_string(w.kind)},
                     {"result", cache::to_string(done.result)},
                     {"bytes", w.bytes},
                     {"ms", ms},
                     {"cause", done.cause}});
}

}  // namespace tankard::proxy::refresh

// What of a store may be served: the ledger, and what is reachable from it.

#include <algorithm>
#include <filesystem>
#include <list>

#include "cache/io/atomic_file.hpp"
#include "cache/store/object_walk.hpp"
#include "cache/store/repo_store_impl.hpp"

namespace tankard::cache {
namespace {

using protocol::object_id;
using oid_list = std::vector<object_id>;

// All walks together; one alone may be as large as max_walk_objects.
constexpr std::size_t max_kept_walks = 16;
constexpr std::size_t max_kept_walk_objects = 4'000'000;

/// Walks that may be gone on with, the most recently used first.
class kept_walks {
 public:
  using walk_ptr = std::shared_ptr<object_walk>;
  /// The walk from these commits (sorted) of the repository.
  walk_ptr walk(const std::filesystem::path& folder, const object_walk::commit_list& commits) {
    std::list<entry> gone;  // freed after the lock
    std::lock_guard const lock(mu_);
    auto const it =
        std::ranges::find_if(kept_, [&](auto const& e) { return e.folder == folder && e.walk->from() == *commits; });
    if (it != kept_.end()) {
      kept_.splice(kept_.begin(), kept_, it);
    } else {
      kept_.push_front({folder, std::make_shared<object_walk>(commits)});
    }
    trim(gone);
    return kept_.front().walk;
  }
  static kept_walks& instance() {
    static kept_walks all;
    return all;
  }

 private:
  struct entry {
    std::filesystem::path folder;
    walk_ptr walk;
  };
  // The first one stays, however large.
  void trim(std::list<entry>& gone) {
    std::size_t number = 0;
    std::size_t objects = 0;
    for (auto it = kept_.begin(); it != kept_.end();) {
      objects += it->walk->objects();
      auto const next = std::next(it);
      if (++number > 1 && (number > max_kept_walks || objects > max_kept_walk_objects))
        gone.splice(gone.end(), kept_, it);
      it = next;
    }
  }
  std::mutex mu_;
  std::list<entry> kept_;  // guarded by mu_
};

/// Wants that are in the repository, by how it is found out whether they are reachable.
struct present_wants {
  oid_set commits;   ///< max_walked_wants of them at most
  oid_list objects;  ///< trees and blobs
};

git_result<present_wants> look_up(const git_repository& git, const oid_list& wants) {
  present_wants out;
  for (auto const& want : wants) {
    auto const target = git.has(want) ? git.peel(want) : git_repository::target{};
    if (!target && git.is_broken()) return target.error();
    if (!target || target->oid.is_zero() || target->tag) continue;
    if (!target->commit) {
      out.objects.push_back(want);
    } else if (out.commits.size() < max_walked_wants) {
      out.commits.insert(want);
    }
  }
  return out;
}

/// Those of `wants` that are no commits, trees or blobs reachable from `commits` (sorted).
git_result<oid_list> not_below(const std::filesystem::path& folder, const git_repository& git, const oid_list& wants,
                               const object_walk::commit_list& commits, const walk_end& end) {
  auto const looked_for = look_up(git, wants);
  if (!looked_for) return looked_for.error();
  auto const& [wanted_commits, objects] = *looked_for;
  auto const reached = wanted_commits.empty() ? oid_list{} : git.ancestors_among(*commits, wanted_commits, end);
  if (!reached) return reached.error();
  oid_set found(reached->begin(), reached->end());
  if (!objects.empty()) {
    auto const walk = kept_walks::instance().walk(folder, commits);
    auto const beyond = walk->beyond(objects, [&](const object_id& oid) { return git.read(oid); }, end);
    if (!beyond) return beyond.error();
    found.insert(objects.begin(), objects.end());
    for (auto const& oid : *beyond) found.erase(oid);
  }
  oid_list out;
  std::ranges::copy_if(wants, std::back_inserter(out), [&](auto const& w) { return !found.contains(w); });
  return out;
}

}  // namespace

git_result<std::shared_ptr<const repo_store::impl::tip_list>> repo_store::impl::tip_commits(
    const git_repository& git, const std::shared_ptr<const oid_set>& tips, const walk_end& end) const {
  std::lock_guard const lock(peeling);
  if (peeled == tips) return commits;
  bool const grown = peeled && std::ranges::all_of(*peeled, [&](auto const& tip) { return tips->contains(tip); });
  auto next = grown ? std::make_shared<tip_list>(*commits) : std::make_shared<tip_list>();
  auto at = tips->begin();
  for (; at != tips->end() && !end.reached(); ++at) {
    if (grown && peeled->contains(*at)) continue;
    auto const target = git.peel(*at);
    if (!target) return target.error();
    if (target->commit) next->push_back(target->oid);
  }
  std::ranges::sort(*next);
  next->erase(std::unique(next->begin(), next->end()), next->end());
  commits = std::move(next);
  if (at == tips->end()) {
    peeled = tips;
    return commits;
  }
  auto part = std::make_shared<oid_set>(tips->begin(), at);
  if (grown) part->insert(peeled->begin(), peeled->end());
  peeled = std::move(part);
  return "too many tips to look at in time";
}

/// Those of `wants` that are not reachable from the commits that `from` names; all of them where git cannot say.
repo_store::impl::tip_list repo_store::impl::beyond(const tip_list& wants, const commits_of& from) const {
  auto const held = lease();
  walk_end const end;
  for (int attempt = 0; attempt < 2 && !wants.empty() && !end.reached(); ++attempt) {
    auto git = objects();
    if (!git) continue;
    auto const anchors = from(*git, end);
    if (anchors)
      if (auto out = not_below(folder, *git, wants, *anchors, end)) return std::move(*out);
    if (git->is_broken()) return wants;  // so would be the next one, and its time-out is waited for again
    git->discard();                      // once more with a fresh handle: packs may have been replaced under the first
  }
  return wants;
}

std::vector<object_id> repo_store::impl::outside(const std::vector<object_id>& wants) const {
  auto const v = seen();
  tip_list others;
  std::ranges::copy_if(wants, std::back_inserter(others), [&](auto const& w) { return !v.tips->contains(w); });
  return beyond(others, [&](const git_repository& git, const walk_end& end) { return tip_commits(git, v.tips, end); });
}

repo_store::impl::tip_list repo_store::impl::unreachable(const tip_list& wants, const tip_list& tips) const {
  oid_set const known(tips.begin(), tips.end());
  tip_list others;
  std::ranges::copy_if(wants, std::back_inserter(others), [&](auto const& w) { return !known.contains(w); });
  return beyond(others,
                [&](const git_repository& git, const walk_end& end) -> git_result<std::shared_ptr<const tip_list>> {
                  auto peeled_tips = std::make_shared<tip_list>();
                  for (auto const& tip : known) {
                    if (end.reached()) return "too many tips to look at in time";
                    auto const target = git.peel(tip);
                    if (!target && git.is_broken()) return target.error();
                    if (target && target->commit) peeled_tips->push_back(target->oid);
                  }
                  std::ranges::sort(*peeled_tips);
                  return peeled_tips;
                });
}

repo_store::impl::tip_list repo_store::impl::existing(const tip_list& oids) const {
  tip_list out;
  auto const held = lease();
  auto const git = objects();
  if (!git || !git->refresh()) return out;
  std::ranges::copy_if(oids, std::back_inserter(out), [&](auto const& oid) { return git->has(oid); });
  return out;
}

boost::system::result<std::size_t> repo_store::impl::expire(const tip_list& tips) {
  std::lock_guard const alone(writing);
  oid_set gone(tips.begin(), tips.end());
  for (auto const& [name, value] : *seen().refs) gone.erase(value.oid);
  tip_list kept;
  std::ranges::copy_if(ledger, std::back_inserter(kept), [&](auto const& t) { return !gone.contains(t); });
  auto const expired = ledger.size() - kept.size();
  if (expired == 0) return std::size_t{0};
  if (auto const w = write_file_atomically(folder / ledger_file, write_ledger(kept)); !w) return w.error();
  std::lock_guard const lock(mu);
  view.tips = std::make_shared<oid_set>(kept.begin(), kept.end());
  ledger = std::move(kept);
  return expired;
}

void repo_store::impl::compact(const git_repository& git) {
  auto const v = seen();
  oid_set shown, candidates(ledger.begin(), ledger.end());
  tip_list from;
  for (auto const& [name, value] : *v.refs) {
    candidates.erase(value.oid);
    if (!shown.insert(value.oid).second) continue;
    if (auto const target = git.peel(value.oid); target && target->commit) from.push_back(target->oid);
  }
  auto const reachable_ones = git.ancestors_among(from, candidates);
  if (reachable_ones) {
    oid_set const dropped(reachable_ones->begin(), reachable_ones->end());
    tip_list kept;
    std::ranges::copy_if(ledger, std::back_inserter(kept), [&](auto const& t) { return !dropped.contains(t); });
    if (write_file_atomically(folder / ledger_file, write_ledger(kept))) {
      std::lock_guard const lock(mu);
      view.tips = std::make_shared<oid_set>(kept.begin(), kept.end());
      ledger = std::move(kept);
    }
  }
  compact_at = std::max(min_compacted_ledger, 2 * ledger.size());
}

}  // namespace tankard::cache

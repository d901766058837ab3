#pragma once
// Whom upstream allowed to see which repository, and when: the decisions of DESIGN 7. In memory for every request, on
// disk for the next start.
//
// Life of a decision: nothing known -> allow(asked_at) by an answer of upstream to that credential -> extended by its
// next success -> deny() leaves a tombstone that is on disk before the call returns -> forgotten when it is older than
// `keep`. What is missing, damaged or not of this key is no decision, and no decision is "no". Only allow() ever makes
// one.
//
// Disk: one SQLite file. Its primary key and a MAC over every row come from `key`, so that the file tells neither
// repositories nor credentials, and a flipped bit, a row of another key or an edited time is no decision. A file that
// SQLite cannot read goes to quarantine beside it and everybody is denied until upstream allowed them anew; one of a
// newer version is left alone, and nobody is allowed from it. It also keeps the latest wall time seen: a start with an
// earlier one (the clock went back) drops every decision, since their ages cannot be known. Allows are written by a
// thread of its own, at once when it is idle, together when it is not; an allow that is already on disk is not
// rewritten before it has aged by `rewrite_after`. Thread-safe; readers never wait for the disk.
//
// What it cannot notice: an older copy of its file put in its place while tankard is away, and a clock that was set
// back by no more than the time that tankard was away.

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "cache/access/secret_key.hpp"
#include "cache/io/clock.hpp"
#include "cache/repo_key.hpp"

namespace tankard::cache {

/// Whose decision, about reading: a push is always upstream's to answer, and says nothing about reading. `credential`
/// is a keyed digest in hex, never empty: requests without one have no decisions.
struct decision_key {
  storage_digest repo;
  std::string generation;
  std::string credential;
};

struct decision_book_options {
  std::filesystem::path file;  ///< <cache>/access/decisions.v1.sqlite; its folder is made, 0700
  secret_key key{};
  std::size_t max_entries = 250'000;                       ///< in memory and on disk; the oldest allow goes first
  std::chrono::nanoseconds keep = std::chrono::hours(12);  ///< older decisions are forgotten
  std::chrono::seconds rewrite_after{60};
  std::chrono::seconds clock_tolerance{60};      ///< a wall clock this much behind is not yet one that went back
  std::chrono::milliseconds mark_every{60'000};  ///< how often the latest wall time is saved where nothing else is
};

struct decision_book_stats {
  std::size_t entries = 0;
  std::uint64_t damaged = 0;  ///< rows that were no decisions, at load
  std::uint64_t write_failures = 0;
  bool clock_went_back = false;  ///< noticed by load()
};

class decision_book {
 public:
  /// Called from any thread: what failed, and why. It may ask for stats(), and must not call what blocks.
  using problem_sink = std::function<void(const std::string& what, const std::string& cause)>;

  decision_book(decision_book_options options, const clock& c, problem_sink problems);
  ~decision_book();  ///< writes what is not yet written

  /// Blocking, first, once. REQUIRES: the dir_lock of the cache directory. Never fails: where the disk is of no use the
  /// book works in memory, says so to the sink, and goes on trying.
  void load();

  /// When upstream last allowed it, as the time the question was sent; nullopt: never, denied since, or as old as
  /// `keep`.
  std::optional<boot_point> allowed_at(const decision_key& k) const;

  /// Upstream answered a question of this credential with the repository. Does nothing where a denial of a question
  /// sent at or after `asked_at` is known or may have been forgotten. Returns at once.
  void allow(const decision_key& k, boot_point asked_at);
  /// Upstream refused it. At once for every reader. Blocking where an allow stands on disk, until it does not any more:
  /// where the tombstone cannot be written the whole file is removed. Cheap where nothing was known; such a denial is
  /// remembered in memory only, so that an allow asked for earlier does not undo it. It revokes also an allow that was
  /// asked for later: two answers that differ are a doubt. True where an allow was revoked.
  bool deny(const decision_key& k, boot_point asked_at);

  /// True where a denial of a question sent at or after `asked_at` is known, or may have been forgotten.
  bool denied_since(const decision_key& k, boot_point asked_at) const;

  /// Blocking. Returns when everything before the call is on disk. False where it could not be written.
  bool save();

  decision_book_stats stats() const;

 private:
  struct impl;
  std::unique_ptr<impl> impl_;
};

}  // namespace tankard::cache

#pragma once
// Asks upstream what a repository lists, once for all who ask the same with the same credential at the same time, and
// keeps what may be kept. An answer is never shared between two credentials. Thread-safe.

#include <chrono>
#include <functional>
#include <memory>
#include <optional>

#include "protocol/advertisement.hpp"
#include "proxy/refresh/flight_board.hpp"
#include "proxy/services.hpp"
#include "proxy/upstream/ask.hpp"

namespace tankard::proxy::refresh {

/// What came of one question. Immutable, shared by all who waited.
struct listing_outcome {
  std::optional<upstream::failure> failed;                    ///< no whole HTTP answer came, or it amounts to an outage
  std::shared_ptr<const upstream::whole_answer> answer;       ///< where an HTTP answer came, whatever it says
  std::shared_ptr<const std::string> body;                    ///< of a good answer
  std::shared_ptr<const protocol::ls_refs_response> listing;  ///< of a good answer that lists: ls-refs, or v0 and v1
  bool of_info_refs = false;                                  ///< `body` is of GET info/refs
  bool new_to_us = false;                                     ///< the table or the advertisement changed
  cache::boot_point asked_at{};

  bool good() const noexcept { return !failed && body != nullptr; }
};
using listing_outcome_ptr = std::shared_ptr<const listing_outcome>;

/// The smallest question whose answer shows that a repository lists to whoever asks. git dies of one in another format.
protocol::ls_refs_request whether_listed(protocol::object_format format);

struct listing_wait {
  listing_outcome_ptr outcome;  ///< null: the patience ended first; the flight goes on
  bool joined = false;          ///< answered by a question that somebody else had asked
};

class listing_service {
 public:
  explicit listing_service(services& s) : s_(s) {}

  /// Asks ls-refs. `asked` is what goes upstream, with the credential of `who`, and of `headers` only the trace of the
  /// first who asks. Takes a good answer into the cache, learns who may see the repository from it or from a denial
  /// (access_notes.hpp), tells health, and starts a sync where new tips are listed. Waits at most `patience`.
  awaitable<listing_wait> ask_refs(repo_ref repo, auth::identity_ptr who, protocol::ls_refs_request asked,
                                   http::fields headers, std::chrono::nanoseconds patience);
  /// Asks GET info/refs?service=git-upload-pack in this version of the protocol. Where the answer is a listing (v0, v1,
  /// and what an old host answers in v2's stead) it is taken in as one, with its bytes as a raw answer.
  awaitable<listing_wait> ask_info_refs(repo_ref repo, auth::identity_ptr who, int version, http::fields headers,
                                        std::chrono::nanoseconds patience);

  /// A request without credential was refused, in a client's words. Where the repository counts as public, asks as
  /// nobody, in tankard's own, and returns when that answer was taken in.
  awaitable<void> ask_whether_public(repo_ref repo);

  /// Forgets listing, objects and decisions of a repository: what comes later is another life, and what is under way is
  /// not kept. (Tables of single users, auth.scope = "user", are not found by the repository's name.) True where
  /// something was known.
  awaitable<bool> purge(repo_ref repo);

  /// The snapshot from memory, or from disk; null where nothing is known.
  awaitable<cache::snapshot_ptr> find(const cache::repo_key& key);
  /// Whether the repository lives this life still.
  awaitable<bool> lives(const cache::repo_key& key, const std::string& generation);

 private:
  using board = flight_board<listing_outcome>;
  struct question {
    repo_ref repo;
    auth::identity_ptr who;
    std::optional<protocol::ls_refs_request> refs;  ///< nullopt: info/refs
    http::fields headers;
    int version = 2;  ///< of the protocol that info/refs is asked in

    std::string name() const;
    /// No client had a hand in what is asked: a denial is about the repository.
    bool in_own_words() const;
  };

  awaitable<listing_wait> wait_for(question q, std::chrono::nanoseconds patience);
  /// A question of tankard's own, as the host is known to understand it: one of which no v2 is known lists in answer to
  /// info/refs.
  awaitable<void> put_as_understood(question& q);
  /// Flies until nobody waits for this question any more.
  awaitable<void> run(question q, board::flight_ptr f);
  awaitable<listing_outcome_ptr> fly(const question& q, const board::flight_ptr& f);
  void take_in(const question& q, listing_outcome& o, upstream::whole_answer& answer);
  error_code take_in_refs(const question& q, listing_outcome& o, upstream::whole_answer& answer);
  error_code take_in_info_refs(const question& q, listing_outcome& o, upstream::whole_answer& answer);
  void take_in_advertisement(const question& q, listing_outcome& o);
  void take_in_old_listing(const question& q, listing_outcome& o, const protocol::v0_advertisement& told);
  /// What upstream lists to whoever asked. `apply` is given the former snapshot.
  using listing_change = std::function<cache::applied_listing(const cache::snapshot_ptr&)>;
  /// `asked`: what the listing in `o` answers.
  void take_in_listing(const question& q, listing_outcome& o, const protocol::ls_refs_request& asked,
                       const listing_change& apply);
  cache::listing_answer answer_to(const question& q, const listing_outcome& o, protocol::ls_refs_request asked) const;
  void confirm_public(const question& q, const listing_outcome& o, const cache::snapshot& kept);
  void take_denial(const question& q, const listing_outcome& o, const upstream::whole_answer& answer);

  services& s_;
  board flights_;
};

}  // namespace tankard::proxy::refresh

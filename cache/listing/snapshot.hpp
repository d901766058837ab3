#pragma once
// Everything remembered of one repository's listing, immutable (DESIGN 1 "snapshot", 4).
//
// Life: made by a successful question -> replaced by the next one (old readers keep theirs by shared_ptr) -> dropped
// from memory by the LRU, kept on disk -> gone with its generation. Thread-safe: nothing changes after construction.

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cache/io/clock.hpp"
#include "cache/listing/ref_table.hpp"
#include "cache/repo_key.hpp"

namespace tankard::cache {

/// A response as it was sent to a client, by canonical request.
struct raw_answer {
  std::string canonical;  ///< protocol::ls_refs_request::canonical() as the client asked
  std::shared_ptr<const std::string> body;
  boot_point since;
};

/// The upstream's v2 capability advertisement, as it came.
struct kept_advertisement {
  std::shared_ptr<const std::string> body;
  boot_point since;
};

/// What upstream offered with a listing in protocol v0 or v1 (protocol::v0_offer).
struct kept_v0_offer {
  std::string capabilities;
  boot_point since;
  bool answers_v2 = false;  ///< that listing was its answer to who asked in v2: it speaks nothing newer
};

/// A tip that was advertised in this generation and has since moved on.
struct former_tip {
  protocol::object_id oid;
  boot_point last_advertised;
};

/// A listing that is empty, or lost more than half of the refs: believed only when a second one, an answer to the same
/// question, agrees ten minutes later (empty again, or again more than half lost).
struct shrunk_listing {
  std::vector<std::string> ref_prefixes;  ///< of the question
  boot_point first_seen;
  std::size_t refs_left = 0;
};

inline constexpr std::size_t max_raw_answers = 16;
inline constexpr std::size_t max_raw_bytes = 8u << 20;  ///< of all raw answers of one repository
inline constexpr std::size_t max_advertisement_bytes = 1u << 20;
inline constexpr std::size_t max_shrunk_listings = 8;
/// So many different tips at once do not all move between two listings of one repository.
inline constexpr std::size_t min_tips_of_another_life = 8;
inline constexpr std::size_t max_former_tips = 4096;
inline constexpr std::chrono::hours former_tip_lease{24};
inline constexpr std::chrono::minutes shrunk_confirmation{10};

struct snapshot {
  repo_key key;
  std::string generation;
  bool is_public = false;                    ///< learned from a parsed listing to a request without any credential
  boot_point public_checked = unknown_time;  ///< when that was last confirmed
  boot_point updated = unknown_time;         ///< when the last question was sent whose answer was taken in
  boot_point changed = unknown_time;         ///< when the last question was sent whose answer changed a ref
  boot_point invalidated = unknown_time;     ///< a push, webhook or purge: answers to questions sent before are old
  std::shared_ptr<const ref_table> table = std::make_shared<ref_table>();
  std::vector<raw_answer> raws;  ///< newest first
  std::optional<kept_advertisement> advertisement;
  std::optional<kept_v0_offer> v0_offer;
  std::vector<former_tip> former_tips;  ///< sorted by oid
  std::vector<shrunk_listing> shrunk;   ///< held back, at most max_shrunk_listings
  bool gone = false;                    ///< with_revocation: a later success begins a new generation
  bool unconfirmed = false;             ///< with_publicness_unconfirmed: public counts again when a listing says so
  bool doubted = false;                 ///< with_doubt: the next listing begins a new generation

  std::size_t memory_bytes() const noexcept;
  const raw_answer* find_raw(std::string_view canonical) const noexcept;
  /// The last answer to a v2 client was a listing in v0 (or v1).
  bool speaks_no_v2() const noexcept { return v0_offer && v0_offer->answers_v2; }
  /// The host listed in v0 (or v1), and nothing tells that it speaks v2, too.
  bool known_in_v0_only() const noexcept { return v0_offer && !advertisement; }
  /// How tankard's own questions are to be put.
  bool is_asked_in_v0() const noexcept { return speaks_no_v2() || known_in_v0_only(); }
};
using snapshot_ptr = std::shared_ptr<const snapshot>;

/// True where the snapshot may not be called fresh any more: older than ttl, invalidated since, or of unknown age.
/// A ttl of zero is always over.
bool is_stale(const snapshot& s, boot_clock::duration ttl, const clock& c) noexcept;
/// The same for the answer to one question, whose parts may be older than the snapshot's last update. True where it is
/// not known.
bool is_stale(const snapshot& s, const protocol::ls_refs_request& question, bool empty_lists_all,
              boot_clock::duration ttl, const clock& c);

/// The object format as its refs show it, and as its v2 advertisement says it; nullopt where there are none.
std::optional<protocol::object_format> shown_format(const snapshot& s);
std::optional<protocol::object_format> advertised_format(const snapshot& s);
/// What its refs show, or else its advertisement says; SHA-1 where nothing is known.
protocol::object_format object_format_of(const snapshot& s);

/// A repository of which nothing is known: a new generation.
snapshot empty_snapshot(const repo_key& key);

/// What a listing does to a snapshot. Pure; the caller says who asked and what came.
struct listing_answer {
  protocol::ls_refs_request question;  ///< as sent upstream (with peel, symrefs, unborn)
  protocol::ls_refs_response listing;
  boot_point asked_at;     ///< when the question was sent
  bool anonymous = false;  ///< the request bore no credential: its success is what makes a repository public
  /// The caller asks for a decision before every use of the snapshot (DESIGN 7), so an answer to a credential may be
  /// kept too. It never makes the repository public. Without this only anonymous answers are kept.
  bool keep_private = false;
};
struct applied_listing {
  snapshot_ptr next;     ///< equal to the former one where nothing is to be kept
  bool changed = false;  ///< some ref's value or existence changed
  bool kept = true;      ///< false: relayed only (invalidated since it was sent, or a shrunk listing not yet confirmed)
  bool older = false;    ///< not kept for no other reason than that a later answer is known
};
/// - an answer whose question was sent before `invalidated`, or before all that the table knows of it, is not taken in;
/// nor is one
///   to a credential without `keep_private`, nor to a question with server options (the answer may depend on them);
/// - an empty listing or one that loses more than half of the refs it asked about is held back until confirmed;
/// - former tips are leased for 24 h, then dropped; raw answers older than a changed table are dropped;
/// - an answer to a credential never goes into what is public: everybody would be shown what only some may see;
/// - a new generation with nothing of the old one: `gone` and a success; an anonymous success after answers to
/// credentials (private
///   became public); `doubted`; oids of another object format; none of at least min_tips_of_another_life tips is left,
///   neither now nor on lease.
/// A client is answered from the listing itself, never from `next`: the table may remember only a part of it.
applied_listing apply_listing(const snapshot_ptr& former, const repo_key& key, const listing_answer& answer,
                              const clock& c);

/// Adds the bytes that were sent for a canonical request, unless the table has moved past them or the repository was
/// invalidated since. The oldest beyond max_raw_answers and max_raw_bytes go; a body that exceeds them alone is not
/// kept.
snapshot_ptr with_raw(const snapshot_ptr& s, std::string canonical, std::shared_ptr<const std::string> body,
                      boot_point since);
snapshot_ptr with_advertisement(const snapshot_ptr& former, const repo_key& key,
                                std::shared_ptr<const std::string> body, boot_point since);
/// For a listing in v0 or v1 that was just taken in. With `answers_v2` an older v2 advertisement goes. Where no
/// capabilities are said (git 2.39 says none of an empty repository) the former ones stay.
snapshot_ptr with_v0_offer(const snapshot_ptr& s, std::string capabilities, boot_point since, bool answers_v2);
/// Null for null. Never moves back.
snapshot_ptr with_invalidation(const snapshot_ptr& s, boot_point now);
/// Upstream denied the repository (401, 403, 404, 410) to a request without credential: no longer public; nothing of
/// the former life is kept but its generation and invalidation, and a later success begins a new generation: what it
/// was between the two is not known. Only for answers that tell about the repository: a 404 to a credential that never
/// was allowed (GitHub's for private repositories) tells about the credential. Add with_invalidation, so that a success
/// that was asked for before and comes late does not undo it. Null for null.
snapshot_ptr with_revocation(const snapshot_ptr& s);
/// Somebody who was shown the repository was told that it is not there (404, 410) or that it moved: the name may stand
/// for another one from now on. It stays shown to whom it was shown, since most often only his right was taken away,
/// but the next listing begins a new generation. Null for null.
snapshot_ptr with_doubt(const snapshot_ptr& s);
/// Something else than a listing or a denial (a redirect) came to a request without credential: it counts as public
/// again when a listing confirms it. Null for null.
snapshot_ptr with_publicness_unconfirmed(const snapshot_ptr& s);
/// Whether `oid` is a tip now, or was one within the lease.
bool is_leased_tip(const snapshot& s, const protocol::object_id& oid, const clock& c);

/// The versioned, checksummed file format of one snapshot. decode: nullopt where anything is off (torn, corrupt, wrong
/// version); it never allocates more than a small multiple of its input. An invalidation from the future is read as
/// now: what is known is stale.
std::string encode_snapshot(const snapshot& s, const clock& c);
std::optional<snapshot> decode_snapshot(std::string_view bytes, const clock& c);

}  // namespace tankard::cache

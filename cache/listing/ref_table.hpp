#pragma once
// What is known of a repository's refs: each ref's value, and for each prefix that was asked for, since when every ref
// below it is known (DESIGN 4, "The ref table"). Immutable: a new listing makes a new table. Pure; no I/O, no clock.
// Thread-safe.

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cache/io/clock.hpp"
#include "protocol/ls_refs.hpp"
#include "protocol/object_id.hpp"

namespace tankard::cache {

/// `prefix` "" stands for a listing without any ref-prefix.
struct known_prefix {
  std::string prefix;
  boot_point since;  ///< when the question was sent: the refs are at least this new
  friend bool operator==(const known_prefix&, const known_prefix&) = default;
};

/// Most prefixes remembered per repository. Five of the places belong to what is asked for every day ("", HEAD, refs/,
/// refs/heads/, refs/tags/). Where the others are taken, the table keeps what it knows: a new prefix gets a place only
/// where it covers a ref that no broader one covers, and only from one that does not, or from those it replaces. So no
/// question makes refs unknown that it did not ask for. What gets no place is answered from the listing alone.
inline constexpr std::size_t max_known_prefixes = 64;
inline constexpr std::size_t max_everyday_prefixes = 5;

class ref_scope;

class ref_table {
 public:
  using record = protocol::ref_record;
  ref_table() = default;
  /// From disk. `refs` need not be sorted. Duplicates: the last one counts.
  ref_table(std::vector<record> refs, std::vector<known_prefix> known);

  /// A listing replaces exactly what its question asked for; refs in it that the question did not ask for are ignored,
  /// and so are those that a prefix asked for later already answers. An `unborn` HEAD is kept as a record like any
  /// other. A listing without prefixes leaves narrower prefixes known at their own age, except those whose whole
  /// namespace (other than HEAD, heads and tags) it does not show: a server may hide it there (Gerrit), so it is not
  /// known to be empty. Where no ref differs the refs are shared with the former table, not copied.
  std::shared_ptr<const ref_table> with_listing(const protocol::ls_refs_request& question,
                                                const std::vector<record>& listing, boot_point asked_at) const;

  /// When every ref that the question asks for is known: the oldest time that any part of it was asked at.
  /// - prefix P is known where a known prefix is a prefix of P; "" answers other prefixes only with `empty_lists_all`,
  ///   and is answered by HEAD and refs/ together only then;
  /// - a P that no ref name can begin with (neither HEAD nor below refs/) is known and empty;
  /// - git's six prefixes for one short name (protocol::expand_short_name) are known together where refs/tags/<name>
  ///   and refs/heads/<name> are known and one of those two refs exists, or where <name> is a full name (HEAD,
  ///   refs/heads/main: git asks for six there too, and takes it first), known, and exists; otherwise each has to be
  ///   known by itself;
  /// - the newest known prefix that covers a P counts;
  /// - a question with server options or unknown capabilities is never known.
  std::optional<boot_point> knows(const protocol::ls_refs_request& question, bool empty_lists_all) const;

  /// True where all that the question asks for was asked for later than `asked_at`: such a listing has nothing to add.
  bool outdates(const protocol::ls_refs_request& question, boot_point asked_at) const;

  /// The refs that the question matches, HEAD first, then by name.
  std::vector<const record*> matching(const protocol::ls_refs_request& question) const;
  const record* find(std::string_view name) const noexcept;
  /// True where some ref has this oid now (not peeled values).
  bool is_tip(const protocol::object_id& oid) const;
  /// The same, or what a tag peels to: some clients want every oid that a listing shows.
  bool is_shown(const protocol::object_id& oid) const;

  const std::vector<record>& refs() const noexcept { return contents_->refs; }  ///< sorted by name
  const std::vector<known_prefix>& known() const noexcept { return known_; }
  std::size_t memory_bytes() const noexcept;

  /// How many refs with a value the question matches (an unborn HEAD is none): used to tell an emptied repository.
  std::size_t count_matching(const protocol::ls_refs_request& question) const;
  /// True where both have the same refs with the same values, whatever is known since when.
  bool same_refs(const ref_table& other) const noexcept;

  /// By name; of records with the same name only the last one stays. REQUIRES: all of one vector, in its order.
  static void sort_by_name(std::vector<const record*>& refs);

 private:
  /// The refs without their ages: shared by the tables of all listings that found nothing new.
  struct contents {
    std::vector<record> refs;              // sorted by name
    std::vector<std::uint32_t> by_oid;     // indices into refs of those with a value, sorted by it
    std::vector<std::uint32_t> by_peeled;  // the same of what they peel to
    std::size_t bytes = 0;
  };
  static std::shared_ptr<const contents> make_contents(std::vector<record> sorted);
  ref_table(std::shared_ptr<const contents> shared, std::vector<known_prefix> known)
      : contents_(std::move(shared)), known_(std::move(known)) {}

  std::shared_ptr<const contents> contents_of(const std::vector<const record*>& sorted) const;
  std::vector<known_prefix> known_after(const ref_scope& asked, const std::vector<record>& listing, boot_point asked_at,
                                        const std::vector<const record*>& refs_after) const;

  std::shared_ptr<const contents> contents_ = make_contents({});
  std::vector<known_prefix> known_;  // sorted by prefix
};

/// The answer to `question` made from refs (projection): asked-for attributes only, flush-pkt at the end.
/// `value_of` may replace a ref's value (the newest one the store can serve); it returns nullptr to keep the table's.
/// A symref whose target is among the refs shows the target's (replaced) value. Unborn HEAD only where asked for.
struct shown_value {
  protocol::object_id oid;
  std::optional<protocol::object_id> peeled;
};
using value_lookup = std::function<const shown_value*(const protocol::ref_record&)>;
std::string project(const ref_table& table, const protocol::ls_refs_request& question,
                    const value_lookup& value_of = {});
/// The same, ref by ref.
void for_each_shown(const ref_table& table, const protocol::ls_refs_request& question, const value_lookup& value_of,
                    const std::function<void(const protocol::ref_record&)>& show);

}  // namespace tankard::cache

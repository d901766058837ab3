// The file format of one snapshot, version 2. Numbers are little-endian; a string is its u32 length and its bytes; a
// time is i64 nanoseconds of wall time, 0 where unknown; a list is its u32 count and its items.
//
//   magic "TKDLSREF" | u32 version | u64 size of body | body | SHA-256 of everything before it
//   body: upstream path viewer generation | u8 flags | public_checked updated changed invalidated | refs known raws
//   advertisement
//         v0_offer former_tips shrunk

#include <openssl/sha.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <type_traits>

#include "cache/listing/snapshot.hpp"
#include "protocol/ref_name.hpp"

namespace tankard::cache {
namespace {

using protocol::object_format;
using protocol::object_id;

constexpr std::string_view magic = "TKDLSREF";
constexpr std::uint32_t version = 2;
constexpr std::size_t header_size = magic.size() + 4 + 8;

using digest = std::array<unsigned char, SHA256_DIGEST_LENGTH>;

digest sha256(std::string_view bytes) noexcept {
  digest d{};
  SHA256(reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size(), d.data());
  return d;
}

enum snapshot_flag : std::uint8_t {
  flag_public = 1,
  flag_gone = 2,
  flag_advertisement = 4,
  flag_doubted = 8,
  flag_unconfirmed = 16,
  flag_v0_offer = 32,
  flag_no_v2 = 64
};
enum ref_flag : std::uint8_t { flag_unborn = 1, flag_peeled = 2, flag_symref = 4 };

class writer {
 public:
  explicit writer(const clock& c) : clock_(c) {}

  template <class T>
    requires std::is_unsigned_v<T>
  void number(T n) {
    for (std::size_t i = 0; i < sizeof(T); ++i) out_ += static_cast<char>(static_cast<unsigned char>(n >> (8 * i)));
  }
  void count(std::size_t n) { number(static_cast<std::uint32_t>(n)); }
  void text(std::string_view s) {
    count(s.size());
    out_ += s;
  }
  void time(boot_point p) {
    auto const wall = clock_.to_wall(p).time_since_epoch().count();
    number(wall > 0 ? static_cast<std::uint64_t>(wall) : 0);
  }
  void oid(const object_id& id) {
    number(static_cast<std::uint8_t>(id.format()));
    auto const raw = id.raw();
    out_.append(reinterpret_cast<const char*>(raw.data()), raw.size());
  }
  void reserve(std::size_t n) { out_.reserve(n); }
  void raw(std::string_view s) { out_ += s; }
  std::string& out() noexcept { return out_; }

 private:
  const clock& clock_;
  std::string out_;
};

void write_ref(writer& w, const ref_table::record& r) {
  w.number(static_cast<std::uint8_t>((r.unborn ? flag_unborn : 0) | (r.peeled ? flag_peeled : 0) |
                                     (r.symref_target.empty() ? 0 : flag_symref)));
  w.text(r.name);
  if (!r.unborn) w.oid(r.oid);
  if (r.peeled) w.oid(*r.peeled);
  if (!r.symref_target.empty()) w.text(r.symref_target);
}

void write_table(writer& w, const ref_table& table) {
  w.count(table.refs().size());
  for (auto const& r : table.refs()) write_ref(w, r);
  w.count(table.known().size());
  for (auto const& k : table.known()) {
    w.text(k.prefix);
    w.time(k.since);
  }
}

void write_body(writer& w, const snapshot& s) {
  w.text(s.key.upstream);
  w.text(s.key.path);
  w.text(s.key.viewer);
  w.text(s.generation);
  w.number(static_cast<std::uint8_t>((s.is_public ? flag_public : 0) | (s.gone ? flag_gone : 0) |
                                     (s.advertisement ? flag_advertisement : 0) | (s.doubted ? flag_doubted : 0) |
                                     (s.unconfirmed ? flag_unconfirmed : 0) | (s.v0_offer ? flag_v0_offer : 0) |
                                     (s.speaks_no_v2() ? flag_no_v2 : 0)));
  for (auto const t : {s.public_checked, s.updated, s.changed, s.invalidated}) w.time(t);
  write_table(w, *s.table);
  w.count(s.raws.size());
  for (auto const& r : s.raws) {
    w.text(r.canonical);
    w.text(*r.body);
    w.time(r.since);
  }
  if (s.advertisement) {
    w.text(*s.advertisement->body);
    w.time(s.advertisement->since);
  }
  if (s.v0_offer) {
    w.text(s.v0_offer->capabilities);
    w.time(s.v0_offer->since);
  }
  w.count(s.former_tips.size());
  for (auto const& t : s.former_tips) {
    w.oid(t.oid);
    w.time(t.last_advertised);
  }
  w.count(s.shrunk.size());
  for (auto const& h : s.shrunk) {
    w.count(h.ref_prefixes.size());
    for (auto const& p : h.ref_prefixes) w.text(p);
    w.time(h.first_seen);
    w.number(static_cast<std::uint64_t>(h.refs_left));
  }
}

// Reads on after an error as if everything were zero; good() tells at the end, and before anything is allocated by a
// count.
class reader {
 public:
  reader(std::string_view in, const clock& c) : in_(in), clock_(c) {}

  template <class T>
    requires std::is_unsigned_v<T>
  T number() noexcept {
    auto const bytes = take(sizeof(T));
    T n = 0;
    for (std::size_t i = 0; i < bytes.size(); ++i)
      n = static_cast<T>(n | static_cast<T>(static_cast<T>(static_cast<unsigned char>(bytes[i])) << (8 * i)));
    return n;
  }
  /// Of items that take at least `each` bytes: more than the rest can hold is an error.
  std::size_t count(std::size_t each, std::size_t limit) noexcept {
    std::size_t const n = number<std::uint32_t>();
    if (n > in_.size() / each || n > limit) return fail(), 0;
    return n;
  }
  std::string_view text() noexcept { return take(number<std::uint32_t>()); }
  bool is_set_time() const noexcept {
    return in_.size() >= 8 && in_.substr(0, 8) != std::string_view("\0\0\0\0\0\0\0\0", 8);
  }
  boot_point time() noexcept {
    auto const wall = static_cast<std::int64_t>(number<std::uint64_t>());
    if (wall < 0) fail();
    if (wall <= 0) return unknown_time;
    return clock_.from_wall(wall_point(std::chrono::nanoseconds(wall)));
  }
  object_id oid() noexcept {
    auto const format = number<std::uint8_t>();
    if (format > 1) return fail(), object_id{};
    auto const raw = take(protocol::raw_size(static_cast<object_format>(format)));
    auto const id = object_id::from_raw(std::as_bytes(std::span(raw)));
    return id ? *id : (fail(), object_id{});
  }
  std::string ref_name() {
    auto const name = text();
    if (!protocol::is_valid_ref_name(name)) fail();
    return std::string(name);
  }
  void fail() noexcept {
    good_ = false;
    in_ = {};
  }
  bool good() const noexcept { return good_; }
  bool at_end() const noexcept { return good_ && in_.empty(); }

 private:
  std::string_view take(std::size_t n) noexcept {
    if (n > in_.size()) return fail(), std::string_view{};
    auto const taken = in_.substr(0, n);
    in_.remove_prefix(n);
    return taken;
  }

  std::string_view in_;
  const clock& clock_;
  bool good_ = true;
};

ref_table::record read_ref(reader& r) {
  ref_table::record ref;
  auto const flags = r.number<std::uint8_t>();
  ref.name = r.ref_name();
  ref.unborn = (flags & flag_unborn) != 0;
  if (!ref.unborn) ref.oid = r.oid();
  if ((flags & flag_peeled) != 0) ref.peeled = r.oid();
  if ((flags & flag_symref) != 0) ref.symref_target = r.ref_name();
  return ref;
}

std::shared_ptr<const ref_table> read_table(reader& r) {
  std::vector<ref_table::record> refs;
  for (auto n = r.count(1 + 4 + 4, protocol::max_listed_refs); n > 0 && r.good(); --n) refs.push_back(read_ref(r));
  std::vector<known_prefix> known;
  for (auto n = r.count(4 + 8, max_known_prefixes); n > 0 && r.good(); --n) {
    std::string prefix(r.text());
    known.push_back({std::move(prefix), r.time()});
  }
  if (!r.good()) return {};
  return std::make_shared<const ref_table>(std::move(refs), std::move(known));
}

std::shared_ptr<const std::string> read_body(reader& r) { return std::make_shared<const std::string>(r.text()); }

void read_shrunk(reader& r, snapshot& s) {
  for (auto n = r.count(4 + 8 + 8, max_shrunk_listings); n > 0 && r.good(); --n) {
    shrunk_listing h;
    for (auto p = r.count(4, protocol::max_ref_prefixes); p > 0 && r.good(); --p) h.ref_prefixes.emplace_back(r.text());
    h.first_seen = r.time();
    h.refs_left = r.number<std::uint64_t>();
    s.shrunk.push_back(std::move(h));
  }
}

void read_lists(reader& r, snapshot& s, std::uint8_t flags) {
  for (auto n = r.count(4 + 4 + 8, max_raw_answers); n > 0 && r.good(); --n) {
    std::string canonical(r.text());
    auto body = read_body(r);
    s.raws.push_back({std::move(canonical), std::move(body), r.time()});
  }
  if ((flags & flag_advertisement) != 0) {
    auto body = read_body(r);
    s.advertisement = kept_advertisement{std::move(body), r.time()};
  }
  if ((flags & flag_v0_offer) != 0) {
    std::string capabilities(r.text());
    s.v0_offer = kept_v0_offer{std::move(capabilities), r.time(), (flags & flag_no_v2) != 0};
  }
  for (auto n = r.count(1 + 20 + 8, max_former_tips); n > 0 && r.good(); --n) {
    auto const oid = r.oid();
    s.former_tips.push_back({oid, r.time()});
  }
  read_shrunk(r, s);
}

// The body between a sound header and a sound checksum.
std::optional<std::string_view> body_of(std::string_view bytes, const clock& c) {
  if (bytes.size() < header_size + sizeof(digest) || !bytes.starts_with(magic)) return std::nullopt;
  reader header(bytes.substr(magic.size(), header_size - magic.size()), c);
  if (header.number<std::uint32_t>() != version) return std::nullopt;
  std::size_t const size = bytes.size() - header_size - sizeof(digest);
  if (header.number<std::uint64_t>() != size) return std::nullopt;
  auto const expected = sha256(bytes.substr(0, header_size + size));
  if (std::memcmp(expected.data(), bytes.data() + header_size + size, expected.size()) != 0) return std::nullopt;
  return bytes.substr(header_size, size);
}

}  // namespace

std::string encode_snapshot(const snapshot& s, const clock& c) {
  writer body(c);
  body.reserve(s.memory_bytes());
  write_body(body, s);
  writer w(c);
  w.reserve(header_size + body.out().size() + sizeof(digest));
  w.raw(magic);
  w.number(version);
  w.number(static_cast<std::uint64_t>(body.out().size()));
  w.raw(body.out());
  auto const sum = sha256(w.out());
  w.raw({reinterpret_cast<const char*>(sum.data()), sum.size()});
  return std::move(w.out());
}

std::optional<snapshot> decode_snapshot(std::string_view bytes, const clock& c) {
  auto const body = body_of(bytes, c);
  if (!body) return std::nullopt;
  reader r(*body, c);
  snapshot s;
  s.key.upstream = r.text();
  s.key.path = r.text();
  s.key.viewer = r.text();
  s.generation = r.text();
  auto const flags = r.number<std::uint8_t>();
  s.is_public = (flags & flag_public) != 0;
  s.gone = (flags & flag_gone) != 0;
  s.doubted = (flags & flag_doubted) != 0;
  s.unconfirmed = (flags & flag_unconfirmed) != 0;
  s.public_checked = r.time();
  s.updated = r.time();
  s.changed = r.time();
  bool const was_invalidated = r.is_set_time();
  s.invalidated = r.time();
  if (was_invalidated && s.invalidated == unknown_time) s.invalidated = c.now();
  s.table = read_table(r);
  if (!r.good()) return std::nullopt;
  read_lists(r, s, flags);
  if (!std::ranges::is_sorted(s.former_tips, {}, &former_tip::oid)) return std::nullopt;
  if (!r.at_end() || s.generation.empty()) return std::nullopt;
  return s;
}

}  // namespace tankard::cache

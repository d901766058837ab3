#include "cache/packs/request_digest.hpp"

#include <algorithm>
#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace tankard::cache {
namespace {

using protocol::object_id;

std::string_view raw(const object_id& oid) noexcept {
  auto const bytes = oid.raw();
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

/// A digest of parts, each with its length in front.
class parts {
 public:
  void add(std::string_view part) {
    add_count(part.size());
    hash_.update(part);
  }
  void add_count(std::uint64_t n) {
    std::array<char, 8> bytes{};
    for (auto& b : bytes) {
      b = static_cast<char>(n & 0xff);
      n >>= 8;
    }
    hash_.update({bytes.data(), bytes.size()});
  }
  template <class Number>
  void add(const std::optional<Number>& n) {
    add(n ? std::to_string(*n) : std::string());
  }
  void add(const std::vector<object_id>& oids) {
    add_count(oids.size());
    for (auto const& oid : oids) add(raw(oid));
  }
  void add(const std::vector<std::string>& texts) {
    add_count(texts.size());
    for (auto const& text : texts) add(text);
  }
  sha256_digest finish() { return hash_.finish(); }

 private:
  sha256 hash_;
};

std::string_view view(const sha256_digest& d) noexcept { return {reinterpret_cast<const char*>(d.data()), d.size()}; }

}  // namespace

sha256_digest request_digest(const request_context& where, const protocol::fetch_request& request) {
  parts out;
  out.add("tankard fetch 1");  // another form of this digest gets another number
  out.add(where.repo.upstream);
  out.add(where.repo.path);
  out.add(where.repo.viewer);
  out.add(where.generation);
  out.add(where.framing);
  out.add(protocol::to_string(request.format));
  std::string flags;
  for (bool const flag :
       {request.done, request.wait_for_done, request.thin_pack, request.ofs_delta, request.include_tag})
    flags += flag ? '1' : '0';
  out.add(flags);
  out.add(request.include_tag ? view(where.tags) : std::string_view());
  out.add(request.deepen);
  out.add(request.deepen_since);
  out.add(request.filter);
  out.add(request.server_options);
  out.add(request.wants);
  out.add(request.haves);
  out.add(request.shallow);
  return out.finish();
}

sha256_digest tags_digest(const ref_table& table) {
  constexpr std::string_view tags = "refs/tags/";
  parts out;
  auto const& refs = table.refs();
  auto at = std::ranges::lower_bound(refs, tags, {}, [](auto const& r) { return std::string_view(r.name); });
  for (; at != refs.end() && at->name.starts_with(tags); ++at) {
    out.add(at->name);
    out.add(raw(at->oid));
    out.add(at->peeled ? raw(*at->peeled) : std::string_view());
  }
  return out.finish();
}

bool may_be_cached(const protocol::fetch_request& request) noexcept {
  return request.bypass_args.empty() && !request.wants.empty();
}

}  // namespace tankard::cache

#include "protocol/advertisement.hpp"

#include <algorithm>
#include <optional>

#include "protocol/pkt_cursor.hpp"
#include "protocol/ref_name.hpp"

namespace tankard::protocol {
namespace {

constexpr std::string_view service_line = "# service=git-upload-pack";
constexpr std::string_view no_refs_name =
    "capabilities^{}";  // gitprotocol-pack "Reference Discovery": an empty listing
constexpr std::string_view peeled_suffix = "^{}";
constexpr std::string_view shallow_word = "shallow ";

result<object_format> format_of(const capability_list& caps) {
  auto const name = caps.value("object-format").value_or("sha1");
  if (name == "sha1") return object_format::sha1;
  if (name == "sha256") return object_format::sha256;
  return errc::bad_capability;
}

// One repository has one object format, and in v0 a capability says which (gitprotocol-capabilities "object-format").
result<object_id> read_oid(std::string_view hex, object_format format) {
  auto const oid = object_id::from_hex(hex);
  if (!oid) return oid.error();
  if (oid->format() != format) return errc::bad_oid;
  return *oid;
}

// Reads the listing of v0 and v1 line by line (gitprotocol-pack, advertised-refs).
class listing_parser {
 public:
  listing_parser(int version, std::size_t max_refs) : max_refs_{max_refs} { out_.version = version; }

  result<void> read_line(std::string_view text) {
    if (first_) return read_first_line(text);
    if (lines_++ >= max_refs_) return errc::too_many;
    if (text.starts_with(shallow_word)) return read_shallow(text.substr(shallow_word.size()));
    if (no_refs_ || !out_.shallow.empty()) return errc::bad_ref_line;
    return read_ref(text);
  }

  v0_advertisement finish() && {
    set_symref_targets();
    return std::move(out_);
  }

 private:
  result<void> read_first_line(std::string_view text) {
    auto const nul = text.find('\0');
    if (nul == std::string_view::npos) return errc::bad_ref_line;
    first_ = false;
    auto capabilities = parse_v0_offer(text.substr(nul + 1));
    if (!capabilities) return capabilities.error();
    out_.capabilities = std::move(*capabilities);
    auto const format = format_of(out_.capabilities);
    if (!format) return format.error();
    format_ = *format;
    ++lines_;
    return read_ref(text.substr(0, nul));
  }

  result<void> read_ref(std::string_view text) {
    auto const space = text.find(' ');
    if (space == std::string_view::npos || space + 1 == text.size()) return errc::bad_ref_line;
    auto const oid = read_oid(text.substr(0, space), format_);
    if (!oid) return oid.error();
    return add_ref(*oid, text.substr(space + 1));
  }

  result<void> add_ref(const object_id& oid, std::string_view name) {
    if (name == no_refs_name && lines_ == 1) {
      no_refs_ = true;
    } else if (oid.is_zero()) {
      return errc::bad_oid;  // git's word for "no object" names none
    } else if (name.ends_with(peeled_suffix)) {
      add_peeled(oid, name.substr(0, name.size() - peeled_suffix.size()));
    } else if (is_valid_ref_name(name)) {
      out_.refs.push_back({.name = std::string{name}, .oid = oid, .peeled = {}, .symref_target = {}});
    } else {
      ++out_.dropped_names;
    }
    return {};
  }

  // A peeled line follows its tag; one that follows something else belongs to a name that was dropped.
  void add_peeled(const object_id& oid, std::string_view tag) {
    if (!out_.refs.empty() && out_.refs.back().name == tag)
      out_.refs.back().peeled = oid;
    else
      ++out_.dropped_names;
  }

  result<void> read_shallow(std::string_view hex) {
    auto const oid = read_oid(hex, format_);
    if (!oid) return oid.error();
    out_.shallow.push_back(*oid);
    return {};
  }

  void set_symref_targets() {
    for (auto const& c : out_.capabilities.entries()) {
      if (c.key != "symref" || !c.value) continue;
      auto const colon = c.value->find(':');
      if (colon == std::string::npos) continue;
      set_symref_target(c.value->substr(0, colon), c.value->substr(colon + 1));
    }
  }

  void set_symref_target(const std::string& name, const std::string& target) {
    if (!is_valid_ref_name(name) || !is_valid_ref_name(target)) return;
    bool target_is_listed = false;
    for (auto& ref : out_.refs) {
      if (ref.name == name) {
        ref.symref_target = target;
        return;
      }
      target_is_listed = target_is_listed || ref.name == target;
    }
    // git >= 2.41 names the branch of an unborn HEAD in v0 too. With its target listed HEAD is hidden, not unborn.
    if (target_is_listed || name != "HEAD") return;
    out_.refs.push_back({.name = name, .oid = {}, .peeled = {}, .symref_target = target, .unborn = true});
  }

  v0_advertisement out_;
  object_format format_ = object_format::sha1;
  std::size_t max_refs_;
  std::size_t lines_ = 0;
  bool first_ = true;
  bool no_refs_ = false;
};

result<advertisement> parse_v2(pkt_cursor& in) {
  v2_advertisement out;
  while (true) {
    auto const line = in.next_of_answer();
    if (!line) return line.error();
    if (line->type == pkt_type::flush) break;
    if (line->type != pkt_type::data) return errc::unexpected_packet;
    if (auto const added = out.capabilities.add(line->text()); !added) return added.error();
  }
  if (auto const format = format_of(out.capabilities); !format) return format.error();
  return out;
}

// `line` is the first of the listing, already read.
result<advertisement> parse_listing(pkt_cursor& in, pkt line, listing_parser parser) {
  while (line.type != pkt_type::flush) {
    if (line.type != pkt_type::data) return errc::unexpected_packet;
    if (auto const read = parser.read_line(line.text()); !read) return read.error();
    auto const next = in.next_of_answer();
    if (!next) return next.error();
    line = *next;
  }
  return std::move(parser).finish();
}

result<advertisement> parse_v1(pkt_cursor& in, std::size_t max_refs) {
  auto const line = in.next_of_answer();
  if (!line) return line.error();
  return parse_listing(in, *line, listing_parser{1, max_refs});
}

result<advertisement> parse_versions(pkt_cursor& in, std::size_t max_refs) {
  auto line = in.next_of_answer();
  if (!line) return line.error();
  bool const has_preamble = line->type == pkt_type::data && line->text() == service_line;
  if (has_preamble) {
    auto const flush = in.next_of_answer();
    if (!flush) return flush.error();
    if (flush->type != pkt_type::flush) return errc::unexpected_packet;
    line = in.next_of_answer();
    if (!line) return line.error();
  }
  // A lone flush-pkt is an empty v0 listing only where a git server introduced itself.
  if (line->type == pkt_type::flush && !has_preamble) return errc::bad_ref_line;
  if (line->type == pkt_type::data && line->text() == "version 2") return parse_v2(in);
  if (line->type == pkt_type::data && line->text() == "version 1") return parse_v1(in, max_refs);
  return parse_listing(in, *line, listing_parser{0, max_refs});
}

}  // namespace

object_format v2_advertisement::format() const noexcept {
  return capabilities.value("object-format") == "sha256" ? object_format::sha256 : object_format::sha1;
}

result<advertisement> parse_advertisement(std::string_view body, std::size_t max_refs) {
  pkt_cursor in{body};
  auto parsed = parse_versions(in, max_refs);
  if (parsed && !in.at_end()) return errc::trailing_data;
  return parsed;
}

std::string write_v2_advertisement(const v2_advertisement& a) {
  std::string out;
  append_text_pkt(out, service_line);
  append_flush(out);
  append_text_pkt(out, "version 2");
  for (auto const& c : a.capabilities.entries()) append_text_pkt(out, c.text());
  append_flush(out);
  return out;
}

std::string write_v0_advertisement(const v0_advertisement& a) {
  capability_list capabilities;
  for (auto const& c : a.capabilities.entries())
    if (c.key != "symref") capabilities.push_back(c);
  auto const head = std::ranges::find(a.refs, "HEAD", &ref_record::name);
  if (head != a.refs.end() && !head->symref_target.empty())
    capabilities.push_back({"symref", "HEAD:" + head->symref_target});

  std::string out;
  append_text_pkt(out, service_line);
  append_flush(out);
  if (a.version == 1) append_text_pkt(out, "version 1");
  bool first = true;
  auto const line = [&](const std::string& oid, std::string_view name) {
    std::string text = oid + ' ' + std::string{name};
    if (first) (text += '\0') += capabilities.words();
    first = false;
    append_text_pkt(out, text);
  };
  for (auto const& ref : a.refs) {
    if (ref.unborn) continue;
    line(ref.oid.hex(), ref.name);
    if (ref.peeled) line(ref.peeled->hex(), ref.name + std::string{peeled_suffix});
  }
  auto const format = format_of(a.capabilities);
  if (first) line(std::string(hex_size(format ? *format : object_format::sha1), '0'), no_refs_name);
  for (auto const& oid : a.shallow) append_text_pkt(out, std::string{shallow_word} + oid.hex());
  append_flush(out);
  return out;
}

}  // namespace tankard::protocol

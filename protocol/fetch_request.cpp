#include "protocol/fetch_request.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <limits>

#include "protocol/command_request.hpp"
#include "protocol/fetch_arguments.hpp"
#include "protocol/pkt_line.hpp"

namespace tankard::protocol {
namespace {

struct flag_row {
  std::string_view arg;
  bool fetch_request::* flag;
};
// gitprotocol-v2 "fetch": arguments that are one word. One table for reading and for the canonical form.
constexpr std::array flags = {
    flag_row{"done", &fetch_request::done},
    flag_row{"wait-for-done", &fetch_request::wait_for_done},
    flag_row{"thin-pack", &fetch_request::thin_pack},
    flag_row{"no-progress", &fetch_request::no_progress},
    flag_row{"include-tag", &fetch_request::include_tag},
    flag_row{"ofs-delta", &fetch_request::ofs_delta},
};

struct oid_row {
  std::string_view word;
  std::vector<object_id> fetch_request::* list;
};
constexpr std::array oid_lists = {
    oid_row{"want", &fetch_request::wants},
    oid_row{"have", &fetch_request::haves},
    oid_row{"shallow", &fetch_request::shallow},
};

template <class Number>
result<Number> read_number(std::string_view text) {
  Number value{};
  auto const [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  // upload-pack.c refuses depth and time 0; a sign or a space has no place on the wire.
  if (error != std::errc{} || end != text.data() + text.size() || value <= 0) return errc::bad_argument;
  return value;
}

bool is_number(std::string_view text) noexcept {
  return !text.empty() && std::ranges::all_of(text, [](char c) { return c >= '0' && c <= '9'; });
}

// One filter-spec whose meaning is known and does not depend on anything but the repository (rev-list --filter).
bool is_plain_filter(std::string_view spec) noexcept {
  constexpr std::array<std::string_view, 5> words = {"blob:none", "object:type=blob", "object:type=tree",
                                                     "object:type=commit", "object:type=tag"};
  if (std::ranges::find(words, spec) != words.end()) return true;
  if (spec.starts_with("tree:")) return is_number(spec.substr(5));
  if (!spec.starts_with("blob:limit=")) return false;
  auto size = spec.substr(11);
  if (!size.empty() && std::string_view{"kKmMgG"}.find(size.back()) != std::string_view::npos) size.remove_suffix(1);
  return is_number(size);
}

// sparse:oid reads a blob that the client names; it may also hide in a percent-encoded part of `combine:`.
bool is_known_filter(std::string_view spec) noexcept {
  constexpr std::string_view combine = "combine:";
  if (!spec.starts_with(combine)) return is_plain_filter(spec);
  spec.remove_prefix(combine.size());
  while (true) {
    auto const plus = spec.find('+');
    if (!is_plain_filter(spec.substr(0, plus))) return false;
    if (plus == std::string_view::npos) return true;
    spec.remove_prefix(plus + 1);
  }
}

result<void> read_oid(fetch_request& request, std::vector<object_id> fetch_request::* list, std::string_view hex) {
  auto const oid = object_id::from_hex(hex);
  if (!oid) return oid.error();
  if (oid->format() != request.format) return errc::bad_oid;
  auto& oids = request.*list;
  if (oids.size() >= max_fetch_oids) return errc::too_many;
  oids.push_back(*oid);
  return {};
}

result<void> read_filter(fetch_request& request, std::string_view spec) {
  // list-objects-filter-options.c: "multiple filter-specs cannot be combined".
  if (spec.empty() || !request.filter.empty()) return errc::bad_argument;
  request.filter = spec;
  if (!is_known_filter(spec)) note_bypass(request, "filter=" + request.filter);
  return {};
}

result<void> read_argument(fetch_request& request, std::string_view arg) {
  for (auto const& row : flags) {
    if (arg != row.arg) continue;
    request.*row.flag = true;
    return {};
  }
  return read_fetch_line(request, arg);
}

void sort_unique(std::vector<object_id>& oids) {
  std::ranges::sort(oids);
  auto const doubles = std::ranges::unique(oids);
  oids.erase(doubles.begin(), doubles.end());
}

void append_oids(std::string& out, std::string_view word, const std::vector<object_id>& oids) {
  for (auto const& oid : oids) {
    out += word;
    out += ' ';
    out += oid.hex();
    out += '\n';
  }
}

// With its length in front, text that a client chose cannot be taken for the next line.
void append_sized(std::string& out, std::string_view word, std::string_view text) {
  out += word;
  out += ' ';
  out += std::to_string(text.size());
  out += ':';
  out += text;
  out += '\n';
}

}  // namespace

void note_bypass(fetch_request& request, std::string_view why) {
  if (request.bypass_args.size() < max_bypass_args) request.bypass_args.emplace_back(why);
}

result<void> read_fetch_line(fetch_request& request, std::string_view line) {
  auto const space = line.find(' ');
  auto const word = line.substr(0, space);
  auto const rest = space == std::string_view::npos ? std::string_view{} : line.substr(space + 1);
  for (auto const& row : oid_lists)
    if (word == row.word) return read_oid(request, row.list, rest);

  if (word == "deepen") {
    auto const depth = read_number<std::uint32_t>(rest);
    if (!depth) return depth.error();
    request.deepen = *depth;
  } else if (word == "deepen-since") {
    auto const since = read_number<std::int64_t>(rest);
    if (!since) return since.error();
    request.deepen_since = *since;
  } else if (word == "filter") {
    return read_filter(request, rest);
  } else {
    note_bypass(request, line);
  }
  return {};
}

result<void> finish_fetch_request(fetch_request& request) {
  // upload-pack.c: "deepen and deepen-since (or deepen-not) cannot be used together".
  if (request.deepen && request.deepen_since) return errc::bad_argument;
  sort_unique(request.wants);
  sort_unique(request.haves);
  sort_unique(request.shallow);
  return {};
}

bool fetch_request::clone_shaped() const noexcept {
  return !wants.empty() && haves.empty() && shallow.empty() && !deepen && !deepen_since && filter.empty() && done &&
         bypass_args.empty();
}

std::string fetch_request::canonical() const {
  std::string out = "fetch ";
  out.reserve((wants.size() + haves.size() + shallow.size()) * (hex_size(format) + sizeof "shallow \n") + 256);
  out += to_string(format);
  for (auto const& row : flags)
    if (this->*row.flag && row.flag != &fetch_request::no_progress) (out += ' ') += row.arg;
  out += '\n';
  if (deepen) out += "deepen " + std::to_string(*deepen) + "\n";
  if (deepen_since) out += "deepen-since " + std::to_string(*deepen_since) + "\n";
  if (!filter.empty()) append_sized(out, "filter", filter);
  for (auto const& option : server_options) append_sized(out, "server-option", option);
  append_oids(out, "want", wants);
  append_oids(out, "have", haves);
  append_oids(out, "shallow", shallow);
  for (auto const& arg : bypass_args) append_sized(out, "bypass", arg);
  return out;
}

result<fetch_request> parse_fetch_request(const command_request& request) {
  auto const format = requested_format(request.capabilities);
  if (!format) return format.error();
  fetch_request out;
  out.format = *format;
  for (auto const& capability : unknown_capabilities(request.capabilities)) note_bypass(out, capability);
  for (auto const arg : request.args)
    if (auto const read = read_argument(out, arg); !read) return read.error();
  if (auto const finished = finish_fetch_request(out); !finished) return finished.error();
  out.server_options = server_options(request.capabilities);
  return out;
}

std::string write_fetch_request(const own_fetch& request, std::string_view agent) {
  std::string out;
  append_command(out, {"fetch", agent, request.format, {}});
  append_delim(out);
  // Only a pack for somebody who has something can be thin.
  if (!request.haves.empty()) append_text_pkt(out, "thin-pack");
  append_text_pkt(out, "ofs-delta");
  for (auto const& want : request.wants) append_text_pkt(out, "want " + want.hex());
  for (auto const& have : request.haves) append_text_pkt(out, "have " + have.hex());
  append_text_pkt(out, "done");
  append_flush(out);
  return out;
}

}  // namespace tankard::protocol

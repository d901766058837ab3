#include "protocol/ls_refs.hpp"

#include <algorithm>

#include "protocol/command_request.hpp"
#include "protocol/pkt_cursor.hpp"
#include "protocol/ref_name.hpp"

namespace tankard::protocol {
namespace {

constexpr std::string_view ref_prefix_word = "ref-prefix ";

void sort_unique(std::vector<std::string>& strings) {
  std::ranges::sort(strings);
  auto const doubles = std::ranges::unique(strings);
  strings.erase(doubles.begin(), doubles.end());
}

// With its length in front no string can be taken for the end of another, whatever bytes a client puts into it.
void append_sized(std::string& out, std::string_view text) {
  out += std::to_string(text.size());
  out += ':';
  out += text;
}

result<void> read_argument(ls_refs_request& request, std::string_view arg) {
  if (arg == "peel")
    request.peel = true;
  else if (arg == "symrefs")
    request.symrefs = true;
  else if (arg == "unborn")
    request.unborn = true;
  else if (!arg.starts_with(ref_prefix_word))
    return errc::bad_argument;  // ls-refs.c dies on any other line
  else if (request.ref_prefixes.size() >= max_ref_prefixes)
    return errc::too_many;
  else
    request.ref_prefixes.emplace_back(arg.substr(ref_prefix_word.size()));
  return {};
}

std::size_t common_prefix(std::string_view a, std::string_view b) noexcept {
  auto const [in_a, in_b] = std::ranges::mismatch(a, b);
  return static_cast<std::size_t>(in_a - a.begin());
}

}  // namespace

std::string ls_refs_request::canonical() const {
  std::string out = "ls-refs ";
  out += to_string(format);
  if (peel) out += " peel";
  if (symrefs) out += " symrefs";
  if (unborn) out += " unborn";

  // Sorted, so a prefix stands right before everything it covers.
  out += " prefixes";
  std::string_view covering;
  bool first = true;
  for (auto const& prefix : ref_prefixes) {
    if (prefix.empty()) break;  // covers all refs, as no prefix at all does
    if (!first && prefix.starts_with(covering)) continue;
    covering = prefix;
    first = false;
    append_sized(out, prefix);
  }
  out += " options";
  for (auto const& option : server_options) append_sized(out, option);
  out += " others";
  for (auto const& other : bypass_capabilities) append_sized(out, other);
  return out;
}

// Of the prefixes not greater than `rest` the greatest decides: it is a prefix of the name, or every prefix of the name
// is also one of what the two have in common. Each round shortens `rest`, and 65536 prefixes cost no more than six.
bool ls_refs_request::matches(std::string_view ref_name) const noexcept {
  if (ref_prefixes.empty()) return true;
  auto rest = ref_name;
  while (true) {
    auto const above = std::ranges::upper_bound(ref_prefixes, rest, std::less<std::string_view>{});
    if (above == ref_prefixes.begin()) return false;
    std::string_view const candidate = *std::prev(above);
    if (ref_name.starts_with(candidate)) return true;
    rest = rest.substr(0, common_prefix(rest, candidate));
  }
}

result<ls_refs_request> parse_ls_refs_request(const command_request& request) {
  auto const format = requested_format(request.capabilities);
  if (!format) return format.error();
  ls_refs_request out;
  out.format = *format;
  for (auto const arg : request.args)
    if (auto const read = read_argument(out, arg); !read) return read.error();
  sort_unique(out.ref_prefixes);
  out.server_options = server_options(request.capabilities);
  out.bypass_capabilities = unknown_capabilities(request.capabilities);
  return out;
}

std::string write_ls_refs_request(const ls_refs_request& request, std::string_view agent) {
  std::string out;
  append_command(out, {"ls-refs", agent, request.format, request.server_options});
  append_delim(out);
  if (request.peel) append_text_pkt(out, "peel");
  if (request.symrefs) append_text_pkt(out, "symrefs");
  if (request.unborn) append_text_pkt(out, "unborn");
  for (auto const& prefix : request.ref_prefixes) append_text_pkt(out, std::string{ref_prefix_word} + prefix);
  append_flush(out);
  return out;
}

}  // namespace tankard::protocol

#include "cache/store/store_files.hpp"

#include <openssl/evp.h>

#include <array>

#include "cache/store/store_errc.hpp"
#include "protocol/ref_name.hpp"

namespace tankard::cache {
namespace {

using protocol::object_id;

constexpr std::string_view ledger_header = "tankard ledger 1\n";
constexpr std::string_view ledger_sum = "sha256 ";
constexpr std::string_view refs_header = "# pack-refs with: peeled fully-peeled sorted tankard-sha256=";
constexpr std::string_view symref_header = "ref: ";
constexpr std::string_view sha1_head = "[core]\n\trepositoryformatversion = 0\n";
constexpr std::string_view sha256_head =
    "[extensions]\n\tobjectFormat = sha256\n[core]\n\trepositoryformatversion = 1\n";

std::string sha256_hex(std::string_view bytes) {
  std::array<unsigned char, 32> digest{};
  ::EVP_Digest(bytes.data(), bytes.size(), digest.data(), nullptr, ::EVP_sha256(), nullptr);
  return object_id::from_raw(std::as_bytes(std::span(digest)))->hex();  // a SHA-256 value in hex is all that is needed
}

/// Takes one line without its LF from the front; nullopt where there is no whole line.
std::optional<std::string_view> take_line(std::string_view& text) {
  auto const end = text.find('\n');
  if (end == text.npos) return std::nullopt;
  auto const line = text.substr(0, end);
  text.remove_prefix(end + 1);
  return line;
}

bool take_prefix(std::string_view& text, std::string_view prefix) {
  if (!text.starts_with(prefix)) return false;
  text.remove_prefix(prefix.size());
  return true;
}

}  // namespace

std::string write_ledger(const std::vector<object_id>& tips) {
  std::string out(ledger_header);
  out.reserve(out.size() + tips.size() * (tips.empty() ? 0 : protocol::hex_size(tips.front().format()) + 1) + 80);
  for (auto const& tip : tips) out.append(tip.hex()) += '\n';
  auto const sum = sha256_hex(out);
  return out.append(ledger_sum).append(sum) += '\n';
}

boost::system::result<std::vector<object_id>> parse_ledger(std::string_view text) {
  auto const sum_at = text.rfind(ledger_sum);
  if (sum_at == text.npos) return store_errc::damaged_ledger;
  auto body = text.substr(0, sum_at);
  auto sum = text.substr(sum_at + ledger_sum.size());
  if (!sum.ends_with('\n') || sum.substr(0, sum.size() - 1) != sha256_hex(body)) return store_errc::damaged_ledger;
  if (!take_prefix(body, ledger_header)) return store_errc::damaged_ledger;
  std::vector<object_id> tips;
  tips.reserve(body.size() / 41);
  while (auto const line = take_line(body)) {
    auto const oid = object_id::from_hex(*line);
    if (!oid) return store_errc::damaged_ledger;
    if (!tips.empty() && oid->format() != tips.front().format()) return store_errc::other_format;
    tips.push_back(*oid);
  }
  return tips;
}

std::string write_packed_refs(const ref_values& refs) {
  std::string body;
  for (auto const& [name, value] : refs) {
    if (name == head_file) continue;
    body.append(value.oid.hex()).append(" ").append(name) += '\n';
    if (value.peeled) body.append("^").append(value.peeled->hex()) += '\n';
  }
  std::string out(refs_header);
  return out.append(sha256_hex(body)).append(" \n").append(body);
}

boost::system::result<ref_values> parse_packed_refs(std::string_view text) {
  if (!take_prefix(text, refs_header)) return store_errc::damaged_refs;
  auto const sum = take_line(text);
  if (!sum || !sum->ends_with(' ') || sum->substr(0, sum->size() - 1) != sha256_hex(text))
    return store_errc::damaged_refs;
  ref_values refs;
  auto last = refs.end();
  while (auto const line = take_line(text)) {
    if (line->starts_with('^')) {
      auto const peeled = object_id::from_hex(line->substr(1));
      bool const fits = peeled && last != refs.end() && peeled->format() == last->second.oid.format();
      if (!fits) return store_errc::damaged_refs;
      last->second.peeled = *peeled;
      continue;
    }
    auto const space = line->find(' ');
    auto const oid = object_id::from_hex(line->substr(0, space));
    if (!oid) return store_errc::damaged_refs;
    auto const name = space != line->npos ? line->substr(space + 1) : std::string_view{};
    bool const in_order = refs.empty() || last->first < name;
    if (!in_order || !protocol::is_valid_ref_name(name)) return store_errc::damaged_refs;
    last = refs.emplace_hint(refs.end(), std::string(name), shown_value{*oid, std::nullopt});
  }
  if (!text.empty()) return store_errc::damaged_refs;
  return refs;
}

std::string write_head(const head_value& head) {
  return (head.oid ? head.oid->hex() : std::string(symref_header) + head.symref) + '\n';
}

boost::system::result<head_value> parse_head(std::string_view text) {
  auto line = take_line(text);
  if (!line || !text.empty()) return store_errc::damaged_refs;
  if (auto const oid = object_id::from_hex(*line)) return head_value{{}, *oid};
  if (!take_prefix(*line, symref_header) || !protocol::is_valid_ref_name(*line)) return store_errc::damaged_refs;
  return head_value{std::string(*line), std::nullopt};
}

std::string key_text(const repo_key& key, std::string_view generation) {
  return key.upstream + '\n' + key.path + '\n' + std::string(generation) + '\n';
}

std::optional<named_store> parse_key_text(std::string_view text) {
  auto const upstream = take_line(text), path = take_line(text), generation = take_line(text);
  if (!upstream || !path || !generation || !text.empty()) return std::nullopt;
  return named_store{{std::string(*upstream), std::string(*path)}, std::string(*generation)};
}

std::string store_config(protocol::object_format format) {
  bool const sha256 = format == protocol::object_format::sha256;
  // Complete, so that nothing depends on git's defaults. Children are told memory, threads and the safe directory by
  // `-c`.
  return std::string(sha256 ? sha256_head : sha1_head) +
         "\tbare = true\n"
         "\tlogAllRefUpdates = false\n"
         "\thooksPath = /dev/null\n"
         "[uploadpack]\n"
         "\tallowFilter = true\n"
         "\tallowAnySHA1InWant = true\n"
         "\tallowRefInWant = false\n"
         "[transfer]\n"
         "\tadvertiseSID = true\n"  // else upload-pack dies of a client's `session-id=`
         "[uploadarchive]\n"
         "\tallowUnreachable = false\n"
         "[http]\n"
         "\treceivepack = false\n"
         "[receive]\n"
         "\tunpackLimit = 1\n"
         "[gc]\n"
         "\tauto = 0\n"
         "\tautoDetach = false\n"
         "[maintenance]\n"
         "\tauto = false\n"
         "[pack]\n"
         "\tthreads = 1\n"
         "\twindowMemory = 64m\n"
         "\twriteReverseIndex = true\n";
}

protocol::object_format format_of_config(std::string_view text) noexcept {
  return text.starts_with(sha256_head) ? protocol::object_format::sha256 : protocol::object_format::sha1;
}

}  // namespace tankard::cache

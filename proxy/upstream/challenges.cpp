#include "proxy/upstream/challenges.hpp"

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

#include "proxy/net/ascii.hpp"

namespace tankard::proxy::upstream {
namespace {

namespace http = boost::beast::http;

constexpr std::string_view blanks = " \t";

struct challenge {
  std::string_view scheme;
  std::string_view text;  // with its parameters, as they came
};

std::string_view trimmed(std::string_view s) {
  auto const first = s.find_first_not_of(blanks);
  if (first == s.npos) return {};
  return s.substr(first, s.find_last_not_of(blanks) - first + 1);
}

std::string_view view(boost::beast::string_view s) { return {s.data(), s.size()}; }

/// Cuts off what stands before the first comma outside of a quoted-string.
std::string_view take_element(std::string_view& list) {
  bool quoted = false;
  std::size_t at = 0;
  for (; at < list.size() && (quoted || list[at] != ','); ++at) {
    if (list[at] == '"') quoted = !quoted;
    if (list[at] == '\\' && quoted) ++at;
  }
  auto const element = list.substr(0, at);
  list.remove_prefix(std::min(at + 1, list.size()));
  return trimmed(element);
}

/// A scheme stands alone or before a blank; a parameter has a "=" behind its name (RFC 9110, 11.2).
bool begins_challenge(std::string_view element) {
  auto const rest = trimmed(element.substr(std::min(element.find_first_of(" \t="), element.size())));
  return !rest.starts_with('=');
}

std::vector<challenge> challenges_of(std::string_view header) {
  std::vector<challenge> found;
  while (!header.empty()) {
    auto const element = take_element(header);
    if (element.empty()) continue;
    if (found.empty() || begins_challenge(element)) {
      found.push_back({element.substr(0, element.find_first_of(blanks)), element});
    } else {
      auto const* const begin = found.back().text.data();
      found.back().text = {begin, static_cast<std::size_t>(element.data() + element.size() - begin)};
    }
  }
  return found;
}

bool is_of_connection(std::string_view scheme) {
  return net::equal_any_case(scheme, "NTLM") || net::equal_any_case(scheme, "Negotiate");
}

bool is_dropped(const challenge& c) { return is_of_connection(c.scheme) || net::equal_any_case(c.scheme, "Digest"); }

/// What is to be sent for a header; empty = nothing.
std::string kept_of(std::string_view header) {
  auto const found = challenges_of(header);
  if (std::ranges::none_of(found, is_dropped)) return std::string(header);
  std::string kept;
  for (auto const& c : found) {
    if (is_dropped(c)) continue;
    if (!kept.empty()) kept += ", ";
    kept += c.text;
  }
  return kept;
}

bool any_of_field(const fields& headers, http::field name, bool (*holds)(std::string_view)) {
  auto const range = headers.equal_range(name);
  return std::any_of(range.first, range.second, [&](auto const& f) { return holds(view(f.value())); });
}

bool credential_is_of_connection(std::string_view value) {
  auto const credential = trimmed(value);
  return is_of_connection(credential.substr(0, credential.find_first_of(blanks)));
}

bool has_challenge_of_connection(std::string_view header) {
  return std::ranges::any_of(challenges_of(header), is_of_connection, &challenge::scheme);
}

}  // namespace

void drop_connection_challenges(fields& headers) {
  struct line {
    std::string name, value;
  };
  std::vector<line> kept;
  bool changed = false;
  auto const [first, last] = headers.equal_range(http::field::www_authenticate);
  for (auto f = first; f != last; ++f) {
    kept.push_back({std::string(view(f->name_string())), kept_of(view(f->value()))});
    changed = changed || kept.back().value != view(f->value());
  }
  if (!changed) return;
  headers.erase(http::field::www_authenticate);
  for (auto const& l : kept) {
    if (!l.value.empty()) headers.insert(http::field::www_authenticate, l.name, l.value);
  }
}

bool authenticates_connection(const fields& request_headers) {
  return any_of_field(request_headers, http::field::authorization, credential_is_of_connection) ||
         any_of_field(request_headers, http::field::proxy_authorization, credential_is_of_connection);
}

bool offers_connection_authentication(const fields& answer_headers) {
  return any_of_field(answer_headers, http::field::www_authenticate, has_challenge_of_connection);
}

}  // namespace tankard::proxy::upstream

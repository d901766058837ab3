#include "proxy/config/service_rules.hpp"

#include <algorithm>
#include <array>

#include "proxy/config/certificate_name.hpp"
#include "proxy/config/glob.hpp"
#include "proxy/net/address_ranges.hpp"
#include "proxy/net/ascii.hpp"

namespace tankard::proxy::config {
namespace {

constexpr std::size_t longest_name = 255, longest_header = 100;

/// Headers that are not a credential's to set: they frame a request, end at the next hop, or git and tankard set them.
constexpr std::array<std::string_view, 19> taken_headers{
    "Host",         "Connection", "Keep-Alive",          "Proxy-Connection",
    "TE",           "Trailer",    "Proxy-Authorization", "Proxy-Authenticate",
    "Upgrade",      "Expect",     "Transfer-Encoding",   "Proxy-Authentication-Info",
    "Git-Protocol", "User-Agent", "Cache-Control",       "Pragma",
    "traceparent",  "tracestate", "X-Request-Id",
};

bool is_control(char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; }

/// Complains about one key of one table.
class complaints {
 public:
  complaints(draft& d, std::string table) : d_(d), table_(std::move(table)) {}
  void about(std::string_view key, const std::string& what) {
    d_.problems.push_back(d_.naming(table_ + "." + std::string{key}) + " " + what);
  }
  void about_table(const std::string& what) { d_.problems.push_back(d_.naming(table_) + " " + what); }

 private:
  draft& d_;
  std::string table_;
};

bool is_header_name(std::string_view name) {
  constexpr std::string_view letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-";
  if (name.empty() || name.size() > longest_header || name.find_first_not_of(letters) != name.npos) return false;
  auto const is_it = [&](std::string_view taken) { return net::equal_any_case(taken, name); };
  auto const begins = [&](std::string_view prefix) {
    return name.size() >= prefix.size() && net::equal_any_case(name.substr(0, prefix.size()), prefix);
  };
  return std::none_of(taken_headers.begin(), taken_headers.end(), is_it) && !begins("accept") && !begins("content-");
}

bool is_user(std::string_view name) {
  return name.size() <= longest_name && name.find(':') == name.npos &&
         std::none_of(name.begin(), name.end(), is_control);
}

void check_type(complaints& wrong, const credential& c) {
  if (c.type != "basic" && !c.user.empty()) wrong.about("user", "goes with `type = \"basic\"` only");
  if (!is_user(c.user)) wrong.about("user", "must be a name of at most 255 bytes without colons");
  if (c.type == "basic" && c.user.empty() && c.command.empty())
    wrong.about("user", "must be set; hosts that look at the secret alone take any name, such as \"git\"");
  if (c.type != "header" && !c.header.empty()) wrong.about("header", "goes with `type = \"header\"` only");
  if (c.type == "header" && !is_header_name(c.header))
    wrong.about("header", "must be the name of a header that is free for it, such as PRIVATE-TOKEN");
}

void check_credential(draft& d, const std::string& upstream, const credential& c) {
  complaints wrong(d, upstream + ".credential." + c.id);
  if (auto const bad = globs_problem(c.repositories)) wrong.about("repositories", *bad);
  if (c.secret_file.empty() && c.command.empty())
    wrong.about_table("must have a `secret_file` to read the secret from, or a `command` that prints it");
  if (!c.secret_file.empty() && !c.command.empty())
    wrong.about_table("has both a `secret_file` and a `command`; which of them counts is yours to say");
  if (!c.command.empty() && c.command[0].empty()) wrong.about("command", "must begin with a program");
  if (c.per_repository && c.command.empty()) wrong.about("per_repository", "goes with a `command` only");
  check_type(wrong, c);
}

void check_certificates(complaints& wrong, const client_rule& c, const tls& listener) {
  if (!c.certificates.empty() && (listener.client_ca.empty() || listener.client_certificates == "off"))
    wrong.about("certificates",
                "can never hold: clients are asked for a certificate where `tls.client_ca` names who vouches for them "
                "and `tls.client_certificates` is optional or required");
  for (auto const& name : c.certificates)
    if (auto const parsed = parse_certificate_name(name); !parsed.name) wrong.about("certificates", parsed.problem);
}

void check_client(draft& d, const std::string& upstream, const client_rule& c) {
  complaints wrong(d, upstream + ".client." + c.id);
  if (auto const bad = globs_problem(c.repositories)) wrong.about("repositories", *bad);
  if (!c.names_criterion())
    wrong.about_table(
        "names no criterion, so it would admit everybody; give it `networks`, a `tokens_file` or `certificates` "
        "(whoever may come from anywhere is in `networks = [\"0.0.0.0/0\", \"::/0\"]`)");
  if (auto const parsed = net::address_ranges::parse(c.networks); !parsed) wrong.about("networks", parsed.error());
  check_certificates(wrong, c, d.value.secure);
}

std::string_view word_of(auth_mode m) {
  return m == auth_mode::service ? "service" : m == auth_mode::anonymous ? "anonymous" : "passthrough";
}

}  // namespace

void check_service(draft& d, const upstream& u) {
  auto const table = "upstream." + u.name;
  if (u.mode == auth_mode::service && u.credentials.empty())
    d.problems.push_back(d.naming(table + ".auth.mode") +
                         " is service, but there is no credential to show the upstream; add a table [" + table +
                         ".credential.<id>] with a `secret_file` or a `command`");
  auto const stray = [&](const std::string& where) {
    d.problems.push_back(d.naming(table + where) + " goes with `auth.mode = \"service\"` only, and the mode of " +
                         ticked(u.name) + " is " + std::string{word_of(u.mode)});
  };
  for (auto const& c : u.credentials) {
    if (u.mode != auth_mode::service) stray(".credential." + c.id);
    check_credential(d, table, c);
  }
  for (auto const& c : u.clients) {
    if (u.mode != auth_mode::service) stray(".client." + c.id);
    check_client(d, table, c);
  }
}

}  // namespace tankard::proxy::config

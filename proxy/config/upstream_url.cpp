#include "proxy/config/upstream_url.hpp"

#include <algorithm>
#include <boost/url/encode.hpp>
#include <boost/url/parse.hpp>
#include <boost/url/rfc/pchars.hpp>
#include <boost/url/url_view.hpp>
#include <charconv>

#include "proxy/config/glob.hpp"

namespace tankard::proxy::config {
namespace {

namespace urls = boost::urls;
constexpr std::size_t longest_segment = 255, longest_mount = 1024, longest_name = 100;

bool is_control(char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; }
bool has_control(std::string_view s) { return std::any_of(s.begin(), s.end(), is_control); }

std::string lower(std::string_view s) {
  std::string out{s};
  for (char& c : out)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return out;
}

std::uint16_t default_port(std::string_view scheme) { return scheme == "https" ? 443 : 80; }

/// 0 where the text is no port.
std::uint16_t port_of(std::string_view text, std::string_view scheme) {
  if (text.empty()) return default_port(scheme);
  std::uint16_t port = 0;
  auto const [end, ec] = std::from_chars(text.data(), text.data() + text.size(), port);
  return ec == std::errc{} && end == text.data() + text.size() ? port : 0;
}

std::string with_port(const std::string& host, std::uint16_t port, std::string_view scheme) {
  auto const name = host.find(':') == host.npos ? host : "[" + host + "]";
  return port == default_port(scheme) ? name : name + ":" + std::to_string(port);
}

std::optional<std::string> segment_problem(std::string_view segment) {
  if (segment.empty()) return "may not have an empty segment";
  if (segment == "." || segment == "..") return "may not have the segments `.` and `..`";
  if (segment.size() > longest_segment) return "has a segment of more than 255 bytes";
  if (has_control(segment) || segment.find_first_of("\\/") != segment.npos)
    return "may not have backslashes, encoded slashes or control characters in a segment";
  return std::nullopt;
}

or_problem<std::string> decoded_base_path(const urls::url_view& u) {
  std::string out;
  auto const segments = u.segments();
  for (auto it = segments.begin(); it != segments.end(); ++it) {
    std::string const segment = *it;
    if (segment.empty() && std::next(it) == segments.end()) break;
    if (auto const wrong = segment_problem(segment)) return problem{"", *wrong};
    out += "/" + segment;
  }
  return out;
}

std::optional<std::string> authority_problem(const urls::url_view& u) {
  if (u.has_userinfo()) return "may not hold a user name or password: credentials come from clients or from files";
  if (u.has_query() || u.has_fragment()) return "may not have a query or a fragment";
  // Boost 1.81 reads "h:x" as host h, path x.
  if (!u.encoded_path().empty() && !u.encoded_path().starts_with('/')) return "must have a port from 1 to 65535";
  auto const host = u.encoded_host();
  if (host.empty()) return "must name a host";
  if (host.find('%') != host.npos) return "may not have an encoded host name";
  return std::nullopt;
}

cache::upstream_kind kind_named(std::string_view word) {
  using enum cache::upstream_kind;
  for (auto const k : {generic, github, gitlab, gitea, bitbucket, gerrit})
    if (cache::to_string(k) == word) return k;
  return generic;
}

std::optional<std::string> host_header_problem(const std::string& host) {
  bool const odd = host.empty() || has_control(host) || host.find_first_of(" /@?#\\,") != host.npos;
  if (odd) return "must be host names, with :port where clients use one";
  return std::nullopt;
}

/// Where clients find it: by Host header or by path.
std::optional<problem> place(upstream& u, const upstream_draft& d, const std::string& authority) {
  for (auto const& h : d.hosts) {
    if (auto const wrong = host_header_problem(h)) return problem{"hosts", *wrong};
    u.hosts.push_back(lower(h));
  }
  if (!d.hosts.empty() && !d.mount.empty())
    return problem{"mount", "may not stand beside `hosts`: an upstream with host names of its own is at their root"};
  if (!d.hosts.empty()) return std::nullopt;
  auto const mount = clean_mount(d.mount.empty() ? "/" + authority + u.base_path : d.mount);
  if (!mount) return problem{"mount", mount.error().what};
  u.mount = *mount;
  return std::nullopt;
}

}  // namespace

std::string parsed_url::authority() const { return with_port(host, port, scheme); }

std::string upstream::origin() const { return scheme + "://" + with_port(host, port, scheme); }

std::string upstream::url() const { return origin() + urls::encode(base_path, urls::pchars + '/'); }

or_problem<parsed_url> parse_upstream_url(std::string_view text) {
  auto const parsed = urls::parse_uri(urls::string_view{text.data(), text.size()});
  if (!parsed) return problem{"", "must be a URL, such as https://github.com"};
  auto const& u = *parsed;
  parsed_url out;
  out.scheme = lower(std::string{u.scheme()});
  if (out.scheme != "http" && out.scheme != "https") return problem{"", "must begin with http:// or https://"};
  if (auto const wrong = authority_problem(u)) return problem{"", *wrong};
  out.host = lower(std::string{u.encoded_host()});
  if (out.host.starts_with('[')) out.host = out.host.substr(1, out.host.size() - 2);
  out.port = port_of(u.port(), out.scheme);
  if (out.port == 0) return problem{"", "must have a port from 1 to 65535"};
  auto const path = decoded_base_path(u);
  if (!path) return path.error();
  out.base_path = *path;
  return out;
}

or_problem<std::string> clean_mount(std::string_view mount) {
  if (mount.size() > longest_mount) return problem{"", "is longer than 1024 bytes"};
  if (mount.ends_with('/')) mount.remove_suffix(1);
  if (mount.empty()) return std::string{};
  if (!mount.starts_with('/')) return problem{"", "must begin with `/`"};
  for (auto rest = mount; !rest.empty();) {
    rest.remove_prefix(1);
    auto const segment = rest.substr(0, rest.find('/'));
    if (auto const wrong = segment_problem(segment)) return problem{"", *wrong};
    rest.remove_prefix(segment.size());
  }
  return std::string{mount};
}

std::optional<std::string> name_problem(std::string_view name) {
  constexpr std::string_view letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-:[]";
  if (name.empty() || name.size() > longest_name) return "must have a name of 1 to 100 bytes";
  if (name.find_first_not_of(letters) != name.npos) return "must have a name of letters, digits and . _ - : [ ]";
  if (name == "none") return "may not have the name `none`, which metrics use where no upstream was reached";
  return std::nullopt;
}

or_problem<upstream> make_upstream(const upstream_draft& d) {
  if (d.url.empty()) return problem{"url", "must be set, such as url = \"https://github.com\""};
  auto const url = parse_upstream_url(d.url);
  if (!url) return problem{"url", url.error().what};
  upstream u;
  u.name = d.name.empty() ? url->authority() : d.name;
  if (auto const wrong = name_problem(u.name)) return problem{"", *wrong};
  u.scheme = url->scheme;
  u.host = url->host;
  u.port = url->port;
  u.base_path = url->base_path;
  if (auto const wrong = place(u, d, url->authority())) return *wrong;
  u.kind = d.kind == "auto" ? cache::kind_of_host(u.host) : kind_named(d.kind);
  u.enabled = d.enabled;
  u.push = d.push;
  if (auto const wrong = globs_problem(d.allow)) return problem{"allow", *wrong};
  if (auto const wrong = globs_problem(d.deny)) return problem{"deny", *wrong};
  u.allow = d.allow;
  u.deny = d.deny;
  u.is_public = d.is_public == "never" ? public_policy::never : public_policy::automatic;
  u.mode = d.mode == "service"     ? auth_mode::service
           : d.mode == "anonymous" ? auth_mode::anonymous
                                   : auth_mode::passthrough;
  bool const by_kind = d.scope == "auto" && u.kind == cache::upstream_kind::gerrit;
  u.scope = by_kind || d.scope == "user" ? auth_scope::user : auth_scope::repository;
  if (auto const wrong = globs_problem(d.mirror_always)) return problem{"mirror.always", *wrong};
  if (auto const wrong = globs_problem(d.mirror_never)) return problem{"mirror.never", *wrong};
  u.mirror = d.mirror == "always"  ? mirror_policy::always
             : d.mirror == "never" ? mirror_policy::never
                                   : mirror_policy::automatic;
  u.mirror_always = d.mirror_always;
  u.mirror_never = d.mirror_never;
  u.ca_file = d.ca_file;
  u.credentials = d.credentials;
  u.clients = d.clients;
  return u;
}

}  // namespace tankard::proxy::config

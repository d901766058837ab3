#include "proxy/http/target.hpp"

#include <algorithm>
#include <array>
#include <optional>

namespace tankard::proxy::http {
namespace {

constexpr std::size_t max_path = 4096;
constexpr std::size_t max_query = 8192;
constexpr std::size_t max_segment = 255;
using text_result = boost::system::result<std::string, target_error>;

bool is_control(char c) noexcept {
  const auto byte = static_cast<unsigned char>(c);
  return byte < 0x20 || byte == 0x7f;
}

int hex_value(char c) noexcept {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

bool is_hex(std::string_view text) noexcept {
  return std::all_of(text.begin(), text.end(), [](char c) { return hex_value(c) >= 0; });
}

/// The byte written as %XX at `at`.
std::optional<char> encoded_byte(std::string_view text, std::size_t at) noexcept {
  if (at + 2 >= text.size()) return std::nullopt;
  const int high = hex_value(text[at + 1]);
  const int low = hex_value(text[at + 2]);
  if (high < 0 || low < 0) return std::nullopt;
  return static_cast<char>(high * 16 + low);
}

/// Most paths: nothing is encoded, and nothing has to be refused. Without a way out of the loop the compiler looks at
/// many bytes at once.
bool is_plain(std::string_view text) noexcept {
  unsigned odd = 0;
  for (const char c : text) {
    odd |= unsigned{is_control(c)};
    odd |= unsigned{c == '%'};
    odd |= unsigned{c == '\\'};
  }
  return odd == 0;
}

text_result decode(std::string_view raw) {
  if (is_plain(raw)) return std::string(raw);
  std::string out;
  out.reserve(raw.size());
  for (std::size_t i = 0; i < raw.size(); ++i) {
    if (raw[i] != '%') {
      if (is_control(raw[i]) || raw[i] == '\\') return target_error::bad_segment;
      out += raw[i];
      continue;
    }
    const auto byte = encoded_byte(raw, i);
    if (!byte || *byte == '/' || *byte == '\\' || is_control(*byte)) return target_error::bad_encoding;
    out += *byte;
    i += 2;
  }
  return out;
}

bool segments_are_safe(std::string_view path) noexcept {
  while (!path.empty()) {
    path.remove_prefix(1);  // the '/' that begins the segment
    const std::string_view segment = path.substr(0, path.find('/'));
    if (segment.empty() || segment.size() > max_segment || segment == "." || segment == "..") return false;
    path.remove_prefix(segment.size());
  }
  return true;
}

/// Value of the one `service` parameter; empty optional where there is none. Two of them are nobody's question.
boost::system::result<std::optional<std::string_view>, target_error> service_of(std::string_view query) {
  std::optional<std::string_view> found;
  while (!query.empty()) {
    const std::string_view parameter = query.substr(0, query.find('&'));
    query.remove_prefix(std::min(parameter.size() + 1, query.size()));
    if (parameter != "service" && !parameter.starts_with("service=")) continue;
    if (found) return target_error::not_git;
    found = parameter.substr(std::min<std::size_t>(8, parameter.size()));
  }
  return found;
}

boost::system::result<git_service, target_error> info_refs_service(std::string_view query) {
  const auto service = service_of(query);
  if (!service) return service.error();
  if (!*service) return git_service::dumb;
  if (**service == "git-upload-pack") return git_service::info_refs_upload_pack;
  if (**service == "git-receive-pack") return git_service::info_refs_receive_pack;
  return target_error::not_git;
}

constexpr std::string_view info_refs = "/info/refs";
constexpr std::string_view lfs = "/info/lfs/";
constexpr std::array<std::string_view, 4> dumb_files{"/HEAD", "/objects/info/packs", "/objects/info/alternates",
                                                     "/objects/info/http-alternates"};

/// Where "/objects/pack/<file>" or "/objects/xx/<38 or 62 hex digits>" begins that ends the path.
std::size_t find_object_file(std::string_view path) noexcept {
  const std::size_t last = path.rfind('/');
  if (last == std::string_view::npos || last == 0) return std::string_view::npos;
  const std::size_t middle = path.rfind('/', last - 1);
  if (middle == std::string_view::npos) return middle;
  constexpr std::string_view objects = "/objects";
  if (!path.substr(0, middle).ends_with(objects)) return std::string_view::npos;
  const std::string_view folder = path.substr(middle + 1, last - middle - 1);
  const std::string_view file = path.substr(last + 1);
  const bool loose = folder.size() == 2 && is_hex(folder) && (file.size() == 38 || file.size() == 62) && is_hex(file);
  if (!loose && folder != "pack") return std::string_view::npos;
  return middle - objects.size();
}

/// GitLab keeps LFS objects beside info/lfs: where "/gitlab-lfs/objects/<64 hex digits>[/<size>]" begins that ends the
/// path.
std::size_t find_gitlab_lfs(std::string_view path) noexcept {
  constexpr std::string_view objects = "/gitlab-lfs/objects/";
  const std::size_t at = path.rfind(objects);
  if (at == std::string_view::npos) return at;
  const std::string_view rest = path.substr(at + objects.size());
  const std::string_view oid = rest.substr(0, rest.find('/'));
  const std::string_view size = rest.substr(std::min(oid.size() + 1, rest.size()));
  const bool is_size = std::all_of(size.begin(), size.end(), [](char c) { return c >= '0' && c <= '9'; });
  return oid.size() == 64 && is_hex(oid) && is_size ? at : std::string_view::npos;
}

struct suffix_found {
  std::size_t at;
  git_service service;
};

/// Looks for what git asks for, from the end of the path: a repository may itself be called `info` or `objects`.
boost::system::result<suffix_found, target_error> find_suffix(std::string_view path, std::string_view query) {
  if (path.ends_with(info_refs)) {
    const auto service = info_refs_service(query);
    if (!service) return service.error();
    return suffix_found{path.size() - info_refs.size(), *service};
  }
  for (const auto& [name, service] : {std::pair{std::string_view("/git-upload-pack"), git_service::upload_pack},
                                      std::pair{std::string_view("/git-receive-pack"), git_service::receive_pack}}) {
    if (path.ends_with(name)) return suffix_found{path.size() - name.size(), service};
  }
  // Before the dumb files: what lies below info/lfs/ is the LFS server's to name.
  const std::size_t lfs_at = path.rfind(lfs);
  if (lfs_at != std::string_view::npos && lfs_at > 0 && lfs_at + lfs.size() < path.size()) {
    return suffix_found{lfs_at, git_service::lfs};
  }
  for (const std::string_view name : dumb_files) {
    if (path.ends_with(name)) return suffix_found{path.size() - name.size(), git_service::dumb};
  }
  const std::size_t object_at = find_object_file(path);
  if (object_at != std::string_view::npos) return suffix_found{object_at, git_service::dumb};
  const std::size_t gitlab_at = find_gitlab_lfs(path);
  if (gitlab_at != std::string_view::npos) return suffix_found{gitlab_at, git_service::lfs};
  return target_error::not_git;
}

bool stays_as_it_is(char c) noexcept {
  const bool alnum = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
  return alnum || std::string_view("-._~!$&'()*+,;=:@/").find(c) != std::string_view::npos;
}

}  // namespace

boost::system::result<clean_target, target_error> clean(std::string_view raw_target) {
  if (raw_target.empty() || raw_target.front() != '/') return target_error::not_origin_form;
  if (raw_target.find('#') != std::string_view::npos) return target_error::not_origin_form;
  const std::size_t mark = std::min(raw_target.find('?'), raw_target.size());
  const std::string_view raw_path = raw_target.substr(0, mark);
  const std::string_view query = raw_target.substr(std::min(mark + 1, raw_target.size()));
  if (raw_path.size() > 3 * max_path || query.size() > max_query) return target_error::too_long;
  if (std::any_of(query.begin(), query.end(), is_control)) return target_error::bad_encoding;
  const auto path = decode(raw_path);
  if (!path) return path.error();
  if (path->size() > max_path) return target_error::too_long;
  if (*path == "/") return clean_target{*path, std::string(query)};
  std::string_view kept = *path;
  if (kept.ends_with('/')) kept.remove_suffix(1);
  if (!segments_are_safe(kept)) return target_error::bad_segment;
  return clean_target{std::string(kept), std::string(query)};
}

boost::system::result<git_target, target_error> split_git_target(std::string_view below_mount, std::string_view query) {
  if (below_mount.empty() || below_mount.front() != '/') return target_error::not_git;
  const auto suffix = find_suffix(below_mount, query);
  if (!suffix) return suffix.error();
  if (suffix->at < 2) return target_error::not_git;  // no repository before it
  git_target target;
  target.repo_path = std::string(below_mount.substr(1, suffix->at - 1));
  target.service = suffix->service;
  target.suffix = std::string(below_mount.substr(suffix->at));
  target.query = std::string(query);
  return target;
}

std::string encode_path(std::string_view decoded) {
  constexpr std::string_view digits = "0123456789ABCDEF";
  std::string out;
  out.reserve(decoded.size());
  for (const char c : decoded) {
    if (stays_as_it_is(c)) {
      out += c;
      continue;
    }
    const auto byte = static_cast<unsigned char>(c);
    out += '%';
    out += digits[byte >> 4];
    out += digits[byte & 15];
  }
  return out;
}

}  // namespace tankard::proxy::http

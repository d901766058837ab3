#include "cache/repo_key.hpp"

#include <openssl/evp.h>
#include <sys/random.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <memory>
#include <new>
#include <span>
#include <system_error>

namespace tankard::cache {
namespace {

constexpr std::array<kind_rules, 6> rules{{
    {upstream_kind::generic, false, false, false},
    {upstream_kind::github, true, true, true},
    {upstream_kind::gitlab, true, false, true},
    {upstream_kind::gitea, true, true, true},
    {upstream_kind::bitbucket, true, true, true},
    {upstream_kind::gerrit, false, false, false},
}};
constexpr std::array<std::string_view, 6> names{"generic", "github", "gitlab", "gitea", "bitbucket", "gerrit"};

struct known_host {
  std::string_view name;  ///< with a leading dot: every host below it
  upstream_kind kind;
};
constexpr known_host known_hosts[] = {
    {"github.com", upstream_kind::github},
    {"www.github.com", upstream_kind::github},
    {".ghe.com", upstream_kind::github},
    {"gitlab.com", upstream_kind::gitlab},
    {"framagit.org", upstream_kind::gitlab},
    {"gitlab.freedesktop.org", upstream_kind::gitlab},
    {"gitlab.gnome.org", upstream_kind::gitlab},
    {"invent.kde.org", upstream_kind::gitlab},
    {"salsa.debian.org", upstream_kind::gitlab},
    {"codeberg.org", upstream_kind::gitea},
    {"gitea.com", upstream_kind::gitea},
    {"bitbucket.org", upstream_kind::bitbucket},
    {"gerrit.wikimedia.org", upstream_kind::gerrit},
    {".googlesource.com", upstream_kind::gerrit},
};

constexpr char lower(char c) noexcept { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

std::string lower(std::string_view text) {
  std::string out(text);
  std::ranges::transform(out, out.begin(), [](char c) { return lower(c); });
  return out;
}

std::string hex(std::span<const unsigned char> bytes) {
  constexpr std::string_view digits = "0123456789abcdef";
  std::string out;
  out.reserve(2 * bytes.size());
  for (unsigned char const b : bytes) {
    out += digits[b >> 4];
    out += digits[b & 15];
  }
  return out;
}

/// SHA-256 again and again: looking up the algorithm costs more than a short name's digest.
class digester {
 public:
  digester() : ready_(context_ && ::EVP_DigestInit_ex(context_.get(), ::EVP_sha256(), nullptr) == 1) {}

  storage_digest of(std::string_view text) {
    storage_digest out{};
    bool const made = ready_ && ::EVP_DigestInit_ex(context_.get(), nullptr, nullptr) == 1 &&
                      ::EVP_DigestUpdate(context_.get(), text.data(), text.size()) == 1 &&
                      ::EVP_DigestFinal_ex(context_.get(), out.data(), nullptr) == 1;
    if (!made) throw std::bad_alloc();  // nothing else can fail
    return out;
  }

 private:
  struct free_context {
    void operator()(EVP_MD_CTX* c) const noexcept { ::EVP_MD_CTX_free(c); }
  };
  std::unique_ptr<EVP_MD_CTX, free_context> context_{::EVP_MD_CTX_new()};
  bool ready_;
};

storage_digest digest_of(const repo_key& key) {
  thread_local digester sha256;
  std::string named;
  named.reserve(key.upstream.size() + 1 + key.path.size());
  named += key.upstream;
  named += '\0';
  named += key.path;
  if (!key.viewer.empty()) named.append(1, '\0').append(key.viewer);
  return sha256.of(named);
}

/// One request asks for the same digest several times, and the next ones often too. Not thread-safe.
class recent_digests {
 public:
  const storage_digest& of(const repo_key& key) {
    auto& place = places_[std::hash<repo_key>{}(key) % places_.size()];
    if (place.key != key) place = {key, digest_of(key)};
    return place.digest;
  }

 private:
  struct known {
    repo_key key{};
    storage_digest digest = digest_of({});
  };
  std::array<known, 64> places_{};
};

// A segment that is nothing but ".git" stays: without it the path would end in an empty segment.
bool has_dot_git(std::string_view path) noexcept {
  return path.size() > 4 && path.ends_with(".git") && path[path.size() - 5] != '/';
}

}  // namespace

std::string_view to_string(upstream_kind k) noexcept { return names[static_cast<std::size_t>(k)]; }

const kind_rules& rules_of(upstream_kind k) noexcept { return rules[static_cast<std::size_t>(k)]; }

upstream_kind kind_of_host(std::string_view host) noexcept {
  host = host.substr(0, host.find(':'));
  if (host.ends_with('.')) host.remove_suffix(1);
  if (host.empty()) return upstream_kind::generic;
  auto const same = [](std::string_view a, std::string_view b) {
    return std::ranges::equal(a, b, [](char x, char y) { return lower(x) == y; });
  };
  for (auto const& [name, kind] : known_hosts) {
    auto const compared =
        name.starts_with('.') ? host.substr(host.size() - std::min(host.size() - 1, name.size())) : host;
    if (same(compared, name)) return kind;
  }
  return upstream_kind::generic;
}

std::string storage_id(const storage_digest& digest) { return hex(digest); }

storage_digest repo_key::digest() const {
  thread_local recent_digests recent;
  return recent.of(*this);
}

repo_key make_repo_key(std::string_view upstream, upstream_kind kind, std::string_view decoded_path) {
  if (decoded_path.starts_with('/')) decoded_path.remove_prefix(1);
  if (decoded_path.ends_with('/')) decoded_path.remove_suffix(1);
  auto const& rule = rules_of(kind);
  repo_key key{std::string(upstream), rule.folds_case ? lower(decoded_path) : std::string(decoded_path)};
  if (rule.folds_dot_git && has_dot_git(key.path)) key.path.resize(key.path.size() - 4);
  return key;
}

std::string upstream_path(const repo_key& key, upstream_kind kind) {
  return rules_of(kind).folds_dot_git ? key.path + ".git" : key.path;
}

std::string new_generation() {
  std::array<unsigned char, 8> bytes{};
  while (getrandom(bytes.data(), bytes.size(), 0) != static_cast<ssize_t>(bytes.size())) {
    if (errno != EINTR) throw std::system_error(errno, std::generic_category(), "getrandom");
  }
  return hex(bytes);
}

}  // namespace tankard::cache

std::size_t std::hash<tankard::cache::repo_key>::operator()(const tankard::cache::repo_key& k) const noexcept {
  std::size_t const a = std::hash<std::string_view>{}(k.upstream);
  std::size_t const b = std::hash<std::string_view>{}(k.path);
  std::size_t const c = k.viewer.empty() ? 0 : std::hash<std::string_view>{}(k.viewer);
  return a ^ c ^ (b + 0x9e3779b97f4a7c15ULL + (a << 6) + (a >> 2));
}

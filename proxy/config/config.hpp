#pragma once
// Everything an operator can set: one struct tree, filled from one table of settings (settings.cpp: key, type, default,
// range, unit, text), from which the parser, `--set`, the environment names and README's table are made. Plain values;
// immutable once the process runs. Thread-safe to read.

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "cache/repo_key.hpp"
#include "proxy/net/endpoint.hpp"

namespace tankard::proxy::config {

using net::endpoint;

enum class public_policy : std::uint8_t { automatic, never };

/// Whose credential the upstream is shown.
enum class auth_mode : std::uint8_t { passthrough, service, anonymous };
/// Whose ref table an answer goes into.
enum class auth_scope : std::uint8_t { repository, user };
/// Whether a repository that is only fetched in part (shallow, filtered) is mirrored whole.
enum class mirror_policy : std::uint8_t { automatic, always, never };

/// A credential of tankard's own, of `auth.mode = service`. The secret itself is in a file or is printed by a command.
struct credential {
  std::string id;
  std::vector<std::string> repositories;  ///< globs; empty = all
  std::string type = "basic";             ///< basic | bearer | header
  std::string user;                       ///< of basic
  std::string header;                     ///< of header: its name, such as PRIVATE-TOKEN
  std::filesystem::path secret_file;      ///< this or `command`
  std::vector<std::string> command;       ///< argv; prints the secret
  std::chrono::milliseconds command_timeout{30'000};
  std::chrono::seconds lifetime{600};  ///< of what the command prints, where that does not say
  bool per_repository = false;         ///< the command is run for each repository and told which
};

/// A rule that admits clients, of `auth.mode = service`. Every criterion that it names must hold; rules are
/// alternatives.
struct client_rule {
  std::string id;
  std::vector<std::string> repositories;  ///< globs; empty = all
  std::vector<std::string> networks;
  std::filesystem::path tokens_file;
  std::vector<std::string> certificates;

  bool names_criterion() const noexcept { return !networks.empty() || !tokens_file.empty() || !certificates.empty(); }
};

struct upstream {
  std::string name;              ///< metric label; default: host[:port] of the URL
  std::string scheme = "https";  ///< http | https
  std::string host;              ///< lower case; an IPv6 address without brackets
  std::uint16_t port = 443;
  std::string base_path;           ///< decoded, "" or "/prefix", no trailing '/'
  std::string mount;               ///< "" (the root) or "/github.com", no trailing '/'
  std::vector<std::string> hosts;  ///< Host header values (lower case, with :port where given) that belong to this
                                   ///< upstream alone: it is mounted at their root and nowhere else, `mount` is ""
  cache::upstream_kind kind = cache::upstream_kind::generic;
  bool enabled = true;  ///< false: treated as an outage, reason `disabled` (test switch)
  bool push = true;
  std::vector<std::string> allow;  ///< repository globs; empty = all
  std::vector<std::string> deny;
  public_policy is_public = public_policy::automatic;
  auth_mode mode = auth_mode::passthrough;
  auth_scope scope = auth_scope::repository;  ///< user: refs differ by who asks; nothing is shared between credentials
  mirror_policy mirror = mirror_policy::automatic;
  std::vector<std::string> mirror_always;  ///< globs of repositories for which another policy holds
  std::vector<std::string> mirror_never;   ///< the same; they win
  std::filesystem::path ca_file;
  std::vector<credential> credentials;  ///< in the order in which they were written: the first that fits is used
  std::vector<client_rule> clients;

  std::string origin() const;  ///< "https://github.com" or with :port where it is not the default
  std::string url() const;     ///< origin and base path, percent-encoded
};

struct ls_refs {
  std::chrono::seconds max_age{0};  ///< 0 = always ask
  std::chrono::seconds ttl{300};
  std::chrono::milliseconds patience{3000};
  std::size_t max_bytes = 256u << 20;
  std::size_t max_entries = 1'000'000;
  std::size_t max_response_bytes = 256u << 20;  ///< a longer listing is passed through, not kept
  std::filesystem::path cache_path;             ///< empty = <cache.directory>/ls-refs
};

struct timeouts {
  std::chrono::milliseconds connect{5'000};
  std::chrono::milliseconds first_byte{30'000};
  std::chrono::milliseconds ls_refs_total{60'000};
  std::chrono::milliseconds fetch_idle{600'000};
  std::chrono::seconds drain{30};
};

struct limits {
  std::size_t connections = 20'000;
  std::size_t tls_connections = 4'000;  ///< of them
  std::size_t header_bytes = 64u << 10;
  std::size_t body_bytes = 64u << 20;    ///< of one request, inflated
  std::size_t body_memory = 256u << 20;  ///< of all request bodies and upstream answers together
  std::chrono::seconds header{30};
  std::chrono::seconds body{120};  ///< for a whole request body that is kept in memory
  std::chrono::seconds keep_alive{75};
  std::chrono::seconds write_idle{300};
  std::size_t children = 32;  ///< git children serving clients at one time
  std::size_t children_waiting = 1'024;
  std::size_t child_memory = std::size_t{4} << 30;  ///< address space of one git child
  std::size_t upstream_connections = 256;           ///< per upstream
};

struct sync {
  std::chrono::milliseconds patience{
      5000};  ///< a client waits so long for a sync before its own request is streamed through
  std::size_t max_haves = 256;
  std::size_t concurrent = 4;  ///< packs being taken in at one time, over all repositories
  std::size_t waiting = 256;
  std::vector<std::string> mirror_refs{"refs/heads/", "refs/tags/"};
};

/// Of repositories that clients fetch only in part.
struct mirroring {
  std::uint64_t max_bytes = std::uint64_t{2} << 30;  ///< a longer pack is given up
};

/// Of what is remembered, of tankard's own accord.
struct refreshing {
  std::chrono::milliseconds write_debounce{10'000};  ///< it waits until no push came for so long; 0 = not at all
};

/// Responses to fetch that are kept to be sent again.
struct pack_cache {
  std::size_t max_bytes = 0;  ///< 0 = half of cache.max_bytes or, where that is 0 too, of the file system
  std::size_t max_entry_bytes = std::size_t{8} << 30;
};

/// Responses to fetch on their way, in files that all their readers share.
struct spools {
  std::size_t max_ahead = std::size_t{1} << 30;  ///< of all together before their fastest readers
  std::size_t max_bytes = 0;                     ///< as in pack_cache
};

/// Of stores: repacks, bitmaps, commit-graphs.
struct upkeep {
  bool enabled = true;
  std::chrono::seconds interval{24 * 3600};   ///< a change waits for upkeep no longer than this
  std::size_t packs = 16;                     ///< more of them in one store are too many to wait
  std::size_t new_bytes = 16u << 20;          ///< as many beside the large pack are too many to wait
  std::size_t memory = std::size_t{2} << 30;  ///< address space of its git child
  unsigned niceness = 15;
};

struct auth {
  std::chrono::seconds offline_grace{12 * 3600};  ///< an allow counts so long while a host is away; 0 = not at all
  std::filesystem::path key_file;                 ///< digests credentials
  std::size_t max_decisions = 250'000;
};

/// What the public listeners have in common.
struct edge {
  unsigned listen_mode = 0660;               ///< of their Unix socket files
  std::vector<std::string> trusted_proxies;  ///< networks, or "unix", of proxies that are believed
  bool proxy_protocol = false;               ///< those begin every connection with a PROXY header
};

/// The public listener that speaks TLS.
struct tls {
  endpoint listen{.host = {}, .type = endpoint::kind::none};
  std::filesystem::path certificate;         ///< PEM, the server's own first, then those that vouch for it
  std::filesystem::path key;                 ///< PEM
  std::filesystem::path client_ca;           ///< PEM
  std::string client_certificates = "off";   ///< off | optional | required
  std::chrono::seconds reload_interval{10};  ///< how often the files are looked at; 0 = on SIGHUP only
};

struct admin {
  endpoint listen{"127.0.0.1", 8081};
  unsigned listen_mode = 0600;       ///< of a Unix socket file
  std::filesystem::path token_file;  ///< empty = <cache.directory>/admin.token, made at start
  std::vector<std::string> hosts;    ///< further Host header values that are accepted
};

struct log {
  std::string format = "auto";  ///< auto | text | json
  std::string level = "info";   ///< debug | info | warning | error
};

struct config {
  endpoint listen{"127.0.0.1", 8080};
  std::filesystem::path cache_directory;    ///< default: $XDG_CACHE_HOME/tankard, /var/cache/tankard for root
  std::size_t max_bytes = 0;                ///< of stores, packs and spools on disk; 0 = what the disk has
  std::size_t min_free_bytes = 512u << 20;  ///< below it nothing is kept on disk (stream-through without a tee)
  bool offline = false;                     ///< every upstream is treated as away
  bool offline_mode = true;                 ///< answer outages from the cache
  bool allow_shared_authority = false;      ///< several upstreams by path on one listener, though git's credential
                                            ///< helpers cannot tell them apart without credential.useHttpPath
  unsigned threads = 0;                     ///< io threads; 0 = one per core
  unsigned blocking_threads = 4;
  ls_refs refs;
  timeouts time;
  limits limit;
  sync syncing;
  mirroring mirrors;
  refreshing refresh;
  pack_cache kept;
  spools spooling;
  upkeep maintenance;
  auth access;
  edge front;
  tls secure;
  admin admin_listener;
  log logging;
  std::vector<upstream> upstreams;  ///< never empty, names and mounts unique

  std::filesystem::path ls_refs_path() const;  ///< refs.cache_path, or its default under cache_directory
  std::filesystem::path packs_path() const;    ///< <cache_directory>/packs
  std::filesystem::path spools_path() const;   ///< <cache_directory>/spools
  std::filesystem::path access_path() const;   ///< <cache_directory>/access
  std::filesystem::path token_path() const;    ///< admin_listener.token_file, or its default under cache_directory
};

}  // namespace tankard::proxy::config

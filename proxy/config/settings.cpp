#include "proxy/config/settings.hpp"

#include <algorithm>

namespace tankard::proxy::config {
namespace {

using enum value_type;
constexpr std::int64_t second = 1'000, minute = 60 * second, hour = 60 * minute, day = 24 * hour;
constexpr std::int64_t kib = 1024, mib = 1024 * kib, gib = 1024 * mib, tib = 1024 * gib;

constexpr value_rule flag{boolean};
constexpr value_rule any_path{path};
constexpr value_rule any_text{text};
constexpr value_rule any_list{list};
constexpr value_rule any_address{address};
constexpr value_rule any_mode{mode};
constexpr value_rule number(std::int64_t min, std::int64_t max) { return {integer, min, max}; }
constexpr value_rule size(std::int64_t min, std::int64_t max) { return {bytes, min, max}; }
constexpr value_rule span_of(std::int64_t min, std::int64_t max) { return {duration, min, max}; }
constexpr value_rule one_of(std::string_view choices) { return {text, 0, 0, choices}; }

template <auto Member>
value_ref in(config& c) {
  return &(c.*Member);
}
template <auto Section, auto Member>
value_ref in(config& c) {
  return &(c.*Section.*Member);
}
template <auto Member>
value_ref of(upstream_draft& u) {
  return &(u.*Member);
}
template <auto Member>
value_ref of_credential(credential& c) {
  return &(c.*Member);
}
template <auto Member>
value_ref of_client(client_rule& c) {
  return &(c.*Member);
}

constexpr setting<config> globals[] = {
    {"listen", any_address, in<&config::listen>, "",
     "Where git clients connect in plain HTTP: address and port, `unix:/path`, `systemd` or `systemd:NAME` (a socket "
     "that systemd opened), or `none`."},
    {"listen_mode", any_mode, in<&config::front, &edge::listen_mode>, "",
     "Mode of the public Unix sockets that tankard makes."},
    {"trusted_proxies", any_list, in<&config::front, &edge::trusted_proxies>, "",
     "Networks (`10.0.0.0/8`), addresses or `unix` of proxies whose X-Forwarded-For is believed. Never put client "
     "networks into it: who is in it chooses his address."},
    {"proxy_protocol", flag, in<&config::front, &edge::proxy_protocol>, "",
     "Connections begin with a PROXY protocol header (version 1 or 2), and only `trusted_proxies` may connect. "
     "Where that names a client, X-Forwarded-For of the connection is not believed. Never put client networks into "
     "`trusted_proxies`."},
    {"cache.directory", any_path, in<&config::cache_directory>,
     "`$XDG_CACHE_HOME/tankard`, `~/.cache/tankard`, or `/var/cache/tankard` for root",
     "Directory of everything that is remembered; one process per directory."},
    {"cache.max_bytes", size(0, 1024 * tib), in<&config::max_bytes>, "",
     "Disk space for objects; beyond it what was unused for longest goes, repositories and kept answers, and no "
     "repository may "
     "take more than half. 0 is as much as there is."},
    {"cache.min_free_bytes", size(0, 64 * tib), in<&config::min_free_bytes>, "",
     "With less free space than this what was unused for longest goes; where that is not enough nothing new is kept, "
     "and answers are streamed through."},
    {"offline", flag, in<&config::offline>, "", "Treat every upstream as away, and answer from the cache."},
    {"offline_mode", flag, in<&config::offline_mode>, "", "Answer from the cache while an upstream is away."},
    {"allow_shared_authority", flag, in<&config::allow_shared_authority>, "",
     "Allow several upstreams by path on one listener; clients must then set git's `credential.useHttpPath`."},
    {"threads", number(0, 256), in<&config::threads>, "", "Threads for network work; 0 is one per core."},
    {"blocking_threads", number(1, 256), in<&config::blocking_threads>, "",
     "Threads for work that blocks on the disk."},

    {"ls_refs.max_age", span_of(0, day), in<&config::refs, &ls_refs::max_age>, "",
     "Answer from memory without asking the upstream while refs are younger; 0s always asks."},
    {"ls_refs.ttl", span_of(0, 365 * day), in<&config::refs, &ls_refs::ttl>, "",
     "Refs older than this are still served in an outage, but warned about and counted."},
    {"ls_refs.patience", span_of(1, 10 * minute), in<&config::refs, &ls_refs::patience>, "",
     "A slow upstream is waited for this long before remembered refs are served."},
    {"ls_refs.max_bytes", size(mib, tib), in<&config::refs, &ls_refs::max_bytes>, "",
     "Memory for remembered refs of all repositories. Listings that are ready to be sent take at most an eighth of it "
     "besides."},
    {"ls_refs.max_entries", number(1, 100'000'000), in<&config::refs, &ls_refs::max_entries>, "",
     "Repositories whose refs are remembered."},
    {"ls_refs.max_response_bytes", size(64 * kib, 16 * gib), in<&config::refs, &ls_refs::max_response_bytes>, "",
     "A longer listing is passed through and not kept."},
    {"ls_refs.cache_path", any_path, in<&config::refs, &ls_refs::cache_path>, "`<cache.directory>/ls-refs`",
     "Directory of the remembered refs."},

    {"timeouts.connect", span_of(10, 10 * minute), in<&config::time, &timeouts::connect>, "",
     "For reaching an upstream, all its addresses tried."},
    {"timeouts.first_byte", span_of(10, hour), in<&config::time, &timeouts::first_byte>, "",
     "From a request to the first byte of the upstream's answer. Who waits for the answer to another one's fetch waits "
     "as "
     "long for its first bytes behind its head."},
    {"timeouts.ls_refs_total", span_of(10, hour), in<&config::time, &timeouts::ls_refs_total>, "",
     "For a whole listing of refs."},
    {"timeouts.fetch_idle", span_of(second, day), in<&config::time, &timeouts::fetch_idle>, "",
     "Silence of an upstream in the middle of a pack."},
    {"timeouts.drain", span_of(0, hour), in<&config::time, &timeouts::drain>, "",
     "For running requests when tankard is told to stop."},

    {"limits.connections", number(1, 1'000'000), in<&config::limit, &limits::connections>, "",
     "Client connections at one time."},
    {"limits.tls_connections", number(1, 1'000'000), in<&config::limit, &limits::tls_connections>, "",
     "Client connections in TLS at one time, counted among `limits.connections`. An idle one costs about 78 KB of "
     "memory."},
    {"limits.header_bytes", size(4 * kib, 16 * mib), in<&config::limit, &limits::header_bytes>, "",
     "Head of one request."},
    {"limits.body_bytes", size(64 * kib, 16 * gib), in<&config::limit, &limits::body_bytes>, "",
     "Body of one fetch or ls-refs request, inflated."},
    {"limits.body_memory", size(64 * kib, tib), in<&config::limit, &limits::body_memory>, "",
     "Request bodies and upstream answers held in memory, all clients together."},
    {"limits.header", span_of(second, hour), in<&config::limit, &limits::header>, "",
     "For a client to send the head of a request."},
    {"limits.body", span_of(second, day), in<&config::limit, &limits::body>, "",
     "For a client to send a body that is held in memory."},
    {"limits.keep_alive", span_of(0, day), in<&config::limit, &limits::keep_alive>, "",
     "An idle client connection is closed after this."},
    {"limits.write_idle", span_of(second, day), in<&config::limit, &limits::write_idle>, "",
     "A client that takes no byte of its answer for so long is cut off."},
    {"limits.children", number(1, 10'000), in<&config::limit, &limits::children>, "",
     "git processes serving clients at one time; one on a large repository counts as one more for every GiB, up to "
     "half."},
    {"limits.children_waiting", number(0, 1'000'000), in<&config::limit, &limits::children_waiting>, "",
     "Requests that may wait for such a process, half of them for one repository. Repositories have turns, and then "
     "clients."},
    {"limits.child_memory", size(64 * mib, 64 * tib), in<&config::limit, &limits::child_memory>, "",
     "Address space of one git process."},
    {"limits.upstream_connections", number(1, 100'000), in<&config::limit, &limits::upstream_connections>, "",
     "Connections to one upstream."},

    {"sync.patience", span_of(0, hour), in<&config::syncing, &sync::patience>, "",
     "A client waits so long for a repository to catch up before its own request is streamed through."},
    {"sync.max_haves", number(0, 4096), in<&config::syncing, &sync::max_haves>, "",
     "Known commits that are named to the upstream when catching up."},
    {"sync.concurrent", number(1, 1024), in<&config::syncing, &sync::concurrent>, "",
     "Packs being taken in at one time."},
    {"sync.waiting", number(0, 100'000), in<&config::syncing, &sync::waiting>, "", "Repositories waiting to catch up."},
    {"sync.mirror_refs", any_list, in<&config::syncing, &sync::mirror_refs>, "",
     "Prefixes of the refs that the store keeps."},
    {"mirror.max_bytes", size(0, 1024 * tib), in<&config::mirrors, &mirroring::max_bytes>, "",
     "A repository of which clients fetch only parts is not mirrored where its pack is longer; 0 mirrors none."},
    {"refresh.write_debounce", span_of(0, hour), in<&config::refresh, &refreshing::write_debounce>, "",
     "After a push tankard asks nothing of its own accord about the repository until no other push came for so long "
     "(six times as long at most). Clients' own requests never wait; 0s does not wait."},

    {"packs.max_bytes", size(0, 1024 * tib), in<&config::kept, &pack_cache::max_bytes>, "",
     "Disk space for answers to fetch that are kept to be sent again, a part of `cache.max_bytes`. 0 is half of that, "
     "or of the file system where that is 0 too."},
    {"packs.max_entry_bytes", size(0, 1024 * tib), in<&config::kept, &pack_cache::max_entry_bytes>, "",
     "A longer answer is not kept; 0 keeps none."},
    {"spool.max_ahead", size(0, 64 * tib), in<&config::spooling, &spools::max_ahead>, "",
     "Answers on their way may be ahead of their fastest readers by this, all together; beyond it each by 8 MiB."},
    {"spool.max_bytes", size(0, 1024 * tib), in<&config::spooling, &spools::max_bytes>, "",
     "Disk space for answers on their way, a part of `cache.max_bytes`; 0 as in `packs.max_bytes`."},

    {"upkeep.enabled", flag, in<&config::maintenance, &upkeep::enabled>, "",
     "Repack stores in the background, with bitmaps and commit-graphs, so that clones need no counting."},
    {"upkeep.interval", span_of(second, 365 * day), in<&config::maintenance, &upkeep::interval>, "",
     "A store that changed is gone over this long after the last time, or sooner where much came in."},
    {"upkeep.packs", number(1, 10'000), in<&config::maintenance, &upkeep::packs>, "",
     "A store with more packs does not wait for the interval."},
    {"upkeep.new_bytes", size(0, 64 * tib), in<&config::maintenance, &upkeep::new_bytes>, "",
     "Nor does one with so many bytes of packs beside its large one."},
    {"upkeep.memory", size(64 * mib, 64 * tib), in<&config::maintenance, &upkeep::memory>, "",
     "Address space of the git process that repacks; one runs at a time, with one thread."},
    {"upkeep.niceness", number(0, 19), in<&config::maintenance, &upkeep::niceness>, "",
     "How much that process yields to others."},

    {"auth.offline_grace", span_of(0, 30 * day), in<&config::access, &auth::offline_grace>, "",
     "While a host is away, whoever it last allowed within this time still sees the repository; 0s is nobody."},
    {"auth.key_file", any_path, in<&config::access, &auth::key_file>,
     "`$XDG_STATE_HOME/tankard/credential.key`, `~/.local/state/tankard/credential.key`, or "
     "`/var/lib/tankard/credential.key` for root; made at start",
     "File with the key that digests credentials; readable by its owner only, outside the cache directory."},
    {"auth.max_decisions", number(1, 10'000'000), in<&config::access, &auth::max_decisions>, "",
     "Pairs of credential and repository that are remembered as allowed."},

    {"tls.listen", any_address, in<&config::secure, &tls::listen>, "",
     "Where git clients connect in HTTPS, as in `listen`."},
    {"tls.certificate", any_path, in<&config::secure, &tls::certificate>, "none",
     "PEM file with the certificate of `tls.listen`, and after it those that vouch for it."},
    {"tls.key", any_path, in<&config::secure, &tls::key>, "none", "PEM file with the key of that certificate."},
    {"tls.client_certificates", one_of("off|optional|required"), in<&config::secure, &tls::client_certificates>, "",
     "Whether clients are asked for certificates."},
    {"tls.client_ca", any_path, in<&config::secure, &tls::client_ca>, "none",
     "PEM file of the authorities that may vouch for clients."},
    {"tls.reload_interval", span_of(0, day), in<&config::secure, &tls::reload_interval>, "",
     "How often these files are looked at, and taken anew where they changed; 0s is on SIGHUP only."},

    {"admin.listen", any_address, in<&config::admin_listener, &admin::listen>, "",
     "Where status page, health, metrics and API are: as in `listen`, but not `none`."},
    {"admin.listen_mode", any_mode, in<&config::admin_listener, &admin::listen_mode>, "",
     "Mode of its Unix socket. Root and tankard's own user need no token there; other users see status and metrics, "
     "and need it for changes."},
    {"admin.token_file", any_path, in<&config::admin_listener, &admin::token_file>,
     "`<cache.directory>/admin.token`, made at start",
     "File with the token that changes through the API need; readable by its owner only."},
    {"admin.hosts", any_list, in<&config::admin_listener, &admin::hosts>, "",
     "Names under which the admin listener may be asked for, besides its address and those of this machine's "
     "loopback."},

    {"log.format", one_of("auto|text|json"), in<&config::logging, &log::format>, "",
     "Lines of text or JSON; auto is text on a terminal and JSON elsewhere."},
    {"log.level", one_of("debug|info|warning|error"), in<&config::logging, &log::level>, "",
     "What is logged: lines of this level and above."},
};

using draft = upstream_draft;
constexpr setting<draft> per_upstream[] = {
    {"url", any_text, of<&draft::url>, "none, must be set",
     "Where it is: `https://host[:port][/path]`, without a user name."},
    {"mount", any_text, of<&draft::mount>, "`/host[:port][/path]` of its URL",
     "Path below which clients reach it; `/` is the root."},
    {"hosts", any_list, of<&draft::hosts>, "",
     "Host names of tankard that belong to this upstream alone, instead of a mount."},
    {"kind", one_of("auto|generic|github|gitlab|gitea|bitbucket|gerrit"), of<&draft::kind>, "",
     "Whose rules for repository names hold; auto knows the public hosts and takes generic for others."},
    {"enabled", flag, of<&draft::enabled>, "", "false treats it as away: for drills and maintenance."},
    {"push", flag, of<&draft::push>, "", "Pass pushes through."},
    {"allow", any_list, of<&draft::allow>, "",
     "Globs (`*`, `**`, `?`) of repositories that may be asked for; empty is all."},
    {"deny", any_list, of<&draft::deny>, "", "Globs of repositories that may not; they win over `allow`."},
    {"public", one_of("auto|never"), of<&draft::is_public>, "",
     "auto learns from anonymous listings which repositories are public; never treats all as private."},
    {"auth.mode", one_of("passthrough|service|anonymous"), of<&draft::mode>, "",
     "Whose credential the upstream is shown: the client's own, tankard's, or none."},
    {"auth.scope", one_of("auto|repository|user"), of<&draft::scope>, "",
     "user: refs differ by who asks, nothing is shared between credentials; auto is user for gerrit."},
    {"mirror.policy", one_of("auto|always|never"), of<&draft::mirror>, "",
     "Whether tankard fetches a repository whole of which clients fetch only parts (shallow, filtered), so that its "
     "store can answer them: always at the first such request, auto at the second within a day. Only what is public, "
     "or "
     "what a credential of tankard's own may see."},
    {"mirror.always", any_list, of<&draft::mirror_always>, "", "Globs of repositories for which it is always."},
    {"mirror.never", any_list, of<&draft::mirror_never>, "",
     "Globs of repositories for which it is never; they win over `mirror.always`."},
    {"ca_file", any_path, of<&draft::ca_file>, "the system's", "PEM file of the authorities that may vouch for it."},
};

constexpr setting<credential> per_credential[] = {
    {"repositories", any_list, of_credential<&credential::repositories>, "",
     "Globs of repositories that it is for; empty is all. The first credential that fits, in the order of the file, is "
     "used."},
    {"type", one_of("basic|bearer|header"), of_credential<&credential::type>, "",
     "How the upstream is shown the secret: as a password, as a bearer token, or as the value of a header."},
    {"user", any_text, of_credential<&credential::user>, "", "User name that goes with it, of type basic."},
    {"header", any_text, of_credential<&credential::header>, "",
     "Name of the header, such as `PRIVATE-TOKEN`, of type header."},
    {"secret_file", any_path, of_credential<&credential::secret_file>, "",
     "File with the secret, closed to others (`chmod 640`); it is read again when it changes."},
    {"command", any_list, of_credential<&credential::command>, "",
     "Program with its arguments that prints the secret, on one line or as JSON with `token`, and where it likes "
     "`expires_at` and `user`; it is told TANKARD_UPSTREAM. What it says on stderr is not logged, since that may hold "
     "the secret: run it by hand, as tankard's user, to see it."},
    {"command_timeout", span_of(10, 10 * minute), of_credential<&credential::command_timeout>, "",
     "For one run of the command."},
    {"lifetime", span_of(second, 365 * day), of_credential<&credential::lifetime>, "",
     "How long what the command printed is used, where it does not say."},
    {"per_repository", flag, of_credential<&credential::per_repository>, "",
     "Run the command for each repository, and tell it which in TANKARD_REPOSITORY."},
};

constexpr setting<client_rule> per_client[] = {
    {"repositories", any_list, of_client<&client_rule::repositories>, "",
     "Globs of repositories that the rule opens; empty is all."},
    {"networks", any_list, of_client<&client_rule::networks>, "",
     "Networks, such as `10.0.0.0/8`, one of which the client must be in."},
    {"tokens_file", any_path, of_client<&client_rule::tokens_file>, "",
     "File of tokens, one of which the client must send, as `tankard token` writes them; it is read again when it "
     "changes."},
    {"certificates", any_list, of_client<&client_rule::certificates>, "",
     "Client certificates, one of which the client must have: `dns:`, `uri:` or `email:` and an alternative name, "
     "`cn:` and the common name of one that has no alternative names, `subject:` and the whole subject "
     "(`CN=ci,O=Corp`), or `sha256:` and its fingerprint."},
};

template <class Owner>
std::string default_of(const setting<Owner>& s) {
  if (!s.default_note.empty()) return std::string{s.default_note};
  Owner fresh;
  auto const value = show(s.rule, s.at(fresh));
  return value.empty() ? "empty" : "`" + value + "`";
}

std::string cell(std::string text) {
  for (std::size_t at = 0; (at = text.find('|', at)) != text.npos; at += 2) text.insert(at, 1, '\\');
  return text;
}

template <class Owner>
void add_rows(std::string& out, std::span<const setting<Owner>> rows, const std::string& prefix) {
  for (auto const& s : rows) {
    auto const key = prefix + std::string{s.key};
    auto const range = range_of(s.rule);
    out += "| `" + key + "` | " + std::string{to_string(s.rule.type)} + " | " + cell(default_of(s)) + " | " +
           cell(range) + " | " + cell(std::string{s.doc}) + " |\n";
  }
}

upstream_draft draft_of(const upstream& u) {
  upstream_draft d;
  d.name = u.name;
  d.url = u.url();
  d.hosts = u.hosts;
  if (u.hosts.empty()) d.mount = u.mount.empty() ? "/" : u.mount;
  d.kind = cache::to_string(u.kind);
  d.enabled = u.enabled;
  d.push = u.push;
  d.allow = u.allow;
  d.deny = u.deny;
  d.is_public = u.is_public == public_policy::never ? "never" : "auto";
  d.mode = u.mode == auth_mode::service ? "service" : u.mode == auth_mode::anonymous ? "anonymous" : "passthrough";
  d.scope = u.scope == auth_scope::user ? "user" : "repository";
  d.mirror = u.mirror == mirror_policy::always ? "always" : u.mirror == mirror_policy::never ? "never" : "auto";
  d.mirror_always = u.mirror_always;
  d.mirror_never = u.mirror_never;
  d.ca_file = u.ca_file;
  d.credentials = u.credentials;
  d.clients = u.clients;
  return d;
}

/// A value that stands for "the default" is better left out than written as "".
template <class Owner>
bool is_worth_writing(const setting<Owner>& s, Owner& from) {
  return s.default_note.empty() || !show(s.rule, s.at(from)).empty();
}

template <class Owner>
void write_tables(std::string& out, const std::string& table, std::span<const setting<Owner>> rows,
                  std::vector<Owner>& owners) {
  for (auto& o : owners) {
    out += "\n[" + table + "." + o.id + "]\n";
    for (auto const& s : rows)
      if (!show(s.rule, s.at(o)).empty()) out += std::string{s.key} + " = " + show_toml(s.rule, s.at(o)) + "\n";
  }
}

void write_upstream(std::string& out, const upstream& u) {
  auto d = draft_of(u);
  auto const table = "upstream.\"" + u.name + "\"";
  out += "\n[" + table + "]\n";
  for (auto const& s : upstream_settings())
    if (is_worth_writing(s, d)) out += std::string{s.key} + " = " + show_toml(s.rule, s.at(d)) + "\n";
  write_tables(out, table + ".credential", credential_settings(), d.credentials);
  write_tables(out, table + ".client", client_settings(), d.clients);
}

}  // namespace

std::span<const setting<config>> global_settings() noexcept { return globals; }
std::span<const setting<upstream_draft>> upstream_settings() noexcept { return per_upstream; }
std::span<const setting<credential>> credential_settings() noexcept { return per_credential; }
std::span<const setting<client_rule>> client_settings() noexcept { return per_client; }

std::string environment_name(std::string_view key) {
  std::string out = "TANKARD_";
  for (char const c : key) {
    bool const small = c >= 'a' && c <= 'z';
    bool const kept = (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
    out += small ? static_cast<char>(c - 'a' + 'A') : kept ? c : '_';
  }
  return out;
}

std::string settings_as_markdown() {
  std::string out = "| key | type | default | range | meaning |\n|---|---|---|---|---|\n";
  add_rows(out, global_settings(), "");
  add_rows(out, upstream_settings(), "upstream.<name>.");
  add_rows(out, credential_settings(), "upstream.<name>.credential.<id>.");
  add_rows(out, client_settings(), "upstream.<name>.client.<id>.");
  return out;
}

std::string effective_toml(const config& c) {
  config copy = c;
  std::string out, section;
  auto const write = [&](bool with_section) {
    for (auto const& s : globals) {
      auto const dot = s.key.find('.');
      if ((dot != s.key.npos) != with_section || !is_worth_writing(s, copy)) continue;
      auto const of_section = with_section ? std::string{s.key.substr(0, dot)} : std::string{};
      if (of_section != section) out += "\n[" + (section = of_section) + "]\n";
      auto const name = with_section ? s.key.substr(dot + 1) : s.key;
      out += std::string{name} + " = " + show_toml(s.rule, s.at(copy)) + "\n";
    }
  };
  write(false);
  write(true);
  for (auto const& u : c.upstreams) write_upstream(out, u);
  return out;
}

}  // namespace tankard::proxy::config

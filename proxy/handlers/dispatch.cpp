#include "proxy/handlers/dispatch.hpp"

#include <fmt/format.h>

#include "proxy/config/spelling.hpp"
#include "proxy/handlers/answers.hpp"
#include "proxy/handlers/handlers.hpp"
#include "proxy/http/headers.hpp"
#include "proxy/net/ascii.hpp"

namespace tankard::proxy::handlers {
namespace {

using http::git_service;

constexpr verdict refused(reason why) { return {outcome::refused, why}; }

operation operation_of(git_service service) {
  switch (service) {
    case git_service::info_refs_upload_pack:
      return operation::info_refs;
    case git_service::upload_pack:
      return operation::fetch;  // ls-refs, once the body says so
    case git_service::info_refs_receive_pack:
    case git_service::receive_pack:
      return operation::push;
    case git_service::lfs:
      return operation::lfs;
    case git_service::dumb:
      return operation::dumb;
  }
  return operation::other;
}

bool method_fits(git_service service, http::verb method) {
  switch (service) {
    case git_service::upload_pack:
    case git_service::receive_pack:
      return method == http::verb::post;
    case git_service::lfs:
      return true;
    case git_service::info_refs_upload_pack:
    case git_service::info_refs_receive_pack:
    case git_service::dumb:
      return method == http::verb::get || method == http::verb::head;
  }
  return false;
}

awaitable<void> lfs(services& s, http::exchange& x, const routed& r) {
  // What an LFS server answers may bear the credential itself, for the client to use.
  if (r.who->service) {
    co_return co_await say(x, refused(reason::lfs), 403,
                           "tankard: LFS is not passed through with tankard's own credential");
  }
  co_await pass_through(s, x, r, {.why = reason::lfs});
}

/// `r` outlives what is returned; no coroutine of its own.
awaitable<void> serve(services& s, http::exchange& x, routed& r) {
  switch (r.target.service) {
    case git_service::info_refs_upload_pack:
      return info_refs(s, x, std::move(r));
    case git_service::upload_pack:
      return upload_pack(s, x, std::move(r));
    case git_service::info_refs_receive_pack:
    case git_service::receive_pack:
      return receive_pack(s, x, std::move(r));
    case git_service::lfs:
      return lfs(s, x, r);
    case git_service::dumb:
      break;
  }
  return pass_through(s, x, r, {.why = reason::dumb});
}

std::string_view sentence(http::target_error e) {
  switch (e) {
    case http::target_error::not_origin_form:
      return "the request target must be a path";
    case http::target_error::bad_encoding:
      return "the path has an encoding that no repository path has";
    case http::target_error::bad_segment:
      return "the path has an empty, '.', '..' or overlong part, or a backslash";
    case http::target_error::too_long:
      return "the path is longer than 4096 bytes";
    case http::target_error::not_git:
      return "this is no path that git asks for";
  }
  return "bad path";
}

bool is_gits_query(std::string_view query) {
  return query.empty() || query == "service=git-upload-pack" || query == "service=git-receive-pack";
}

awaitable<void> refuse_client(http::exchange& x, const auth::refusal& r) {
  set_verdict(x, refused(reason::not_admitted), "self");
  x.report().detail = r.sentence;
  http::fields headers;
  headers.set("Content-Type", "text/plain; charset=utf-8");
  if (!r.challenge.empty()) headers.set("WWW-Authenticate", r.challenge);
  http::add_no_cache(headers);
  std::string const body = r.sentence + "\n";
  co_await x.respond(r.status, std::move(headers), body);
}

std::string mounts_sentence(const services& s) {
  std::string out = "nothing is mounted here; tankard serves";
  for (auto const& site : s.upstreams) {
    out += site->settings.hosts.empty() ? " " + site->settings.mount + "/<repository>"
                                        : " http://" + site->settings.hosts.front() + "/<repository>";
  }
  return out;
}

}  // namespace

mounted find_mount(const services& s, std::string_view host_header, std::string_view path) {
  mounted best;
  auto named = config::host_match::none;
  for (auto const& site : s.upstreams) {
    auto const match = config::match_host(site->settings, host_header);
    if (match <= named) continue;
    named = match;
    best = {site.get(), std::string(path)};
  }
  if (best.site != nullptr) return best;
  for (auto const& site : s.upstreams) {
    auto const below = config::below_mount(site->settings, path);
    bool const longer = best.site == nullptr || site->settings.mount.size() > best.site->settings.mount.size();
    if (below && longer) best = {site.get(), std::string(*below)};
  }
  return best;
}

awaitable<void> dispatch(services& s, http::exchange& x) {
  auto const& request = x.request();
  if (http::has_ambiguous_headers(request.headers)) {
    co_return co_await say(x, refused(reason::malformed), 400,
                           "tankard: exactly one Host, and at most one Authorization, Git-Protocol and Content-Length");
  }
  auto const cleaned = http::clean(request.target);
  if (!cleaned) {
    co_return co_await say(x, refused(reason::bad_target), 400, fmt::format("tankard: {}", sentence(cleaned.error())));
  }
  auto const mount = find_mount(s, http::value_of(request.headers, boost::beast::http::field::host), cleaned->path);
  if (mount.site == nullptr) {
    co_return co_await say(x, refused(reason::not_mounted), 404, "tankard: " + mounts_sentence(s));
  }
  x.report().upstream = mount.site->settings.name;
  auto target = http::split_git_target(mount.below, cleaned->query);
  if (!target) {
    bool const not_git = target.error() == http::target_error::not_git;
    co_return co_await say(x, refused(not_git ? reason::not_mounted : reason::bad_target), not_git ? 404 : 400,
                           fmt::format("tankard: {}", sentence(target.error())));
  }
  auto const& settings = mount.site->settings;
  repo_ref repo{*mount.site, cache::make_repo_key(settings.name, settings.kind, target->repo_path)};
  x.report().repo = repo.key.path;
  x.report().op = operation_of(target->service);
  if (!method_fits(target->service, request.method)) {
    co_return co_await say(x, refused(reason::method), 405, "tankard: git does not ask for this path with this method");
  }
  if (!mount.site->filter.admits(repo.key.path)) {
    co_return co_await say(x, refused(reason::not_allowed), 403,
                           fmt::format("tankard: the rules for {} do not allow {}", settings.name, repo.key.path));
  }
  int const version = http::requested_protocol_version(request.headers);
  x.report().protocol = version == 2 ? git_protocol::v2 : version == 1 ? git_protocol::v1 : git_protocol::v0;
  auto admitted = co_await mount.site->gate->admit(request, repo.key.path);
  if (admitted.refused) co_return co_await refuse_client(x, *admitted.refused);
  if (settings.mode != config::auth_mode::passthrough && !is_gits_query(target->query)) {
    co_return co_await say(x, refused(reason::bad_target), 400,
                           "tankard: git asks for no query but `service=`, and a token in one would reach the host");
  }
  if (settings.scope == config::auth_scope::user) repo.key.viewer = admitted.who->principal;
  routed r{std::move(repo), std::move(*target), version, std::move(admitted.who), std::move(admitted.unusable)};
  co_await serve(s, x, r);
}

}  // namespace tankard::proxy::handlers

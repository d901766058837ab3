#include "proxy/admin/admin.hpp"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <optional>

#include "proxy/admin/guard.hpp"
#include "proxy/admin/render.hpp"
#include "proxy/net/address_ranges.hpp"

namespace tankard::proxy::admin {
namespace {

namespace json = boost::json;
using http::verb;

constexpr std::string_view json_type = "application/json";
constexpr std::string_view text_type = "text/plain; charset=utf-8";
constexpr std::string_view html_type = "text/html; charset=utf-8";
constexpr std::string_view metrics_type = "text/plain; version=0.0.4; charset=utf-8";
constexpr std::size_t longest_body = 4096;

reason reason_of(unsigned status) {
  switch (status) {
    case 401:
    case 403:
      return reason::not_allowed;
    case 404:
      return reason::bad_target;
    case 405:
      return reason::method;
    case 413:
      return reason::too_large;
    default:
      return status < 500 ? reason::malformed : reason::none;
  }
}

http::fields common_headers(std::string_view type) {
  http::fields h;
  h.set("Content-Type", {type.data(), type.size()});
  h.set("Cache-Control", "no-store");
  h.set("X-Content-Type-Options", "nosniff");
  return h;
}

awaitable<void> answer(http::exchange& x, unsigned status, http::fields headers, std::string body) {
  auto& report = x.report();
  bool const refused = status >= 400 && status < 500;
  report.op = operation::other;
  report.outcome = refused ? outcome::refused : outcome::local;
  report.reason = refused ? reason_of(status) : reason::none;
  report.source = "self";
  if (refused && x.request().has_body()) x.close_after();
  // A client that went away is the session's to report.
  (void)co_await x.respond(status, std::move(headers), body);
}

awaitable<void> answer(http::exchange& x, unsigned status, std::string_view type, std::string body) {
  return answer(x, status, common_headers(type), std::move(body));
}

awaitable<void> refuse(http::exchange& x, unsigned status, std::string_view sentence, std::string_view header = {},
                       std::string_view value = {}) {
  auto headers = common_headers(json_type);
  if (!header.empty()) headers.set({header.data(), header.size()}, {value.data(), value.size()});
  return answer(x, status, std::move(headers), error_json(sentence));
}

int hex(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/// The path without its query, decoded; nothing where it is no proper one.
std::optional<std::string> path_of(std::string_view target) {
  target = target.substr(0, target.find('?'));
  if (!target.starts_with('/')) return std::nullopt;
  std::string out;
  for (std::size_t i = 0; i < target.size(); ++i) {
    if (target[i] != '%') {
      out += target[i];
      continue;
    }
    if (i + 2 >= target.size() || hex(target[i + 1]) < 0 || hex(target[i + 2]) < 0) return std::nullopt;
    out += static_cast<char>(hex(target[i + 1]) * 16 + hex(target[i + 2]));
    i += 2;
  }
  return out;
}

/// The whole body, or nothing where it is too long or the client went away.
awaitable<std::optional<std::string>> read_body(http::exchange& x) {
  std::string body(longest_body + 1, '\0');
  std::size_t have = 0;
  while (have <= longest_body) {
    auto const n = co_await x.read_body(asio::buffer(body.data() + have, body.size() - have));
    if (!n) co_return std::nullopt;
    if (*n == 0) break;
    have += *n;
  }
  if (have > longest_body) co_return std::nullopt;
  body.resize(have);
  co_return body;
}

/// The one thing that a change says: {"enabled": true}.
std::optional<bool> enabled_in(const std::string& body) {
  boost::system::error_code ec;
  auto const parsed = json::parse(body, ec);
  if (ec || !parsed.is_object() || parsed.get_object().size() != 1) return std::nullopt;
  auto const* const on = parsed.get_object().if_contains("enabled");
  return on && on->is_bool() ? std::optional{on->get_bool()} : std::nullopt;
}

const upstream_view* find(const view& v, const std::string& name) {
  auto const it = std::find_if(v.upstreams.begin(), v.upstreams.end(), [&](const auto& u) { return u.name == name; });
  return it == v.upstreams.end() ? nullptr : &*it;
}

std::string unknown_upstream(const std::string& name) {
  return "there is no upstream named `" + name.substr(0, 200) + "`";
}

std::string_view header(const http::fields& h, std::string_view name) {
  auto const value = h[{name.data(), name.size()}];
  return {value.data(), value.size()};
}

/// Came by a Unix socket. No browser does, so no name can have been rebound.
bool is_local(const http::request_head& request) { return request.peer == net::address_ranges::unix_peer; }

}  // namespace

/// A path that ends in '/' (but "/" itself) stands for all below it; the rest is the handler's argument.
struct admin_service::route {
  using action = awaitable<void> (admin_service::*)(http::exchange&, std::string) const;
  std::string_view path;
  action get;
  action put = nullptr;
  action del = nullptr;

  action of(verb method) const {
    if (method == verb::get || method == verb::head) return get;
    return method == verb::put ? put : method == verb::delete_ ? del : nullptr;
  }
  /// RFC 9110, 10.2.1.
  std::string allowed() const {
    std::string out = get ? "GET, HEAD" : "";
    if (put) out += ", PUT";
    if (del) out += out.empty() ? "DELETE" : ", DELETE";
    return out;
  }

  bool fits(std::string_view asked) const {
    bool const below = path.size() > 1 && path.ends_with('/');
    return below ? asked.size() > path.size() && asked.starts_with(path) : asked == path;
  }
};

const admin_service::route admin_service::routes[] = {
    {"/", &admin_service::page},
    {"/healthz", &admin_service::health},
    {"/readyz", &admin_service::ready},
    {"/metrics", &admin_service::metrics},
    {"/api/v1/upstreams", &admin_service::upstreams},
    {"/api/v1/upstreams/", &admin_service::upstream, &admin_service::change_upstream},
    {"/api/v1/repositories/", nullptr, nullptr, &admin_service::purge_repository},
};

admin_service::admin_service(options o, sources s) : options_(std::move(o)), sources_(std::move(s)) {}

awaitable<void> admin_service::handle(http::exchange& x) const {
  auto const& request = x.request();
  auto const& headers = request.headers;
  bool const may = is_local(request) || may_be_asked_as(header(headers, "Host"), options_.listen, options_.hosts);
  if (headers.count("Host") > 1 || !may) {
    co_await refuse(x, 403, "this name is not one of the admin listener's; add it to `admin.hosts` if it should be");
    co_return;
  }
  auto const path = path_of(request.target);
  auto const row =
      std::find_if(std::begin(routes), std::end(routes), [&](const route& r) { return path && r.fits(*path); });
  if (row == std::end(routes)) {
    co_await refuse(x, path ? 404 : 400, path ? "there is nothing at this path" : "this is not a path");
    co_return;
  }
  auto arg = path->substr(std::min(path->size(), row->path.size()));
  if (auto const act = row->of(request.method))
    co_await (this->*act)(x, std::move(arg));
  else
    co_await refuse(x, 405, "this path does not know the method", "Allow", row->allowed());
}

awaitable<void> admin_service::page(http::exchange& x, std::string) const {
  auto headers = common_headers(html_type);
  headers.set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'");
  co_await answer(x, 200, std::move(headers), status_page(sources_.look()));
}

awaitable<void> admin_service::health(http::exchange& x, std::string) const {
  co_await answer(x, 200, json_type, health_json(sources_.look()));
}

awaitable<void> admin_service::ready(http::exchange& x, std::string) const {
  bool const yes = sources_.ready();
  co_await answer(x, yes ? 200 : 503, text_type, yes ? "ready\n" : "not ready\n");
}

awaitable<void> admin_service::metrics(http::exchange& x, std::string) const {
  auto text = co_await sources_.metrics();
  co_await answer(x, 200, metrics_type, std::move(text));
}

awaitable<void> admin_service::upstreams(http::exchange& x, std::string) const {
  co_await answer(x, 200, json_type, upstreams_json(sources_.look()));
}

awaitable<void> admin_service::upstream(http::exchange& x, std::string name) const {
  auto const v = sources_.look();
  if (auto const* const u = find(v, name))
    co_await answer(x, 200, json_type, upstream_json(*u));
  else
    co_await refuse(x, 404, unknown_upstream(name));
}

/// False where the client may not, and was told so.
awaitable<bool> admin_service::may_change(http::exchange& x) const {
  auto const& request = x.request();
  bool const trusted = needs_no_token(request, ::geteuid());
  auto const who = trusted ? bearer::right : check_bearer(header(request.headers, "Authorization"), options_.token);
  if (who == bearer::missing) {
    co_await refuse(x, 401, "changes need `Authorization: Bearer` and the admin token", "WWW-Authenticate", "Bearer");
  } else if (who == bearer::wrong) {
    co_await refuse(x, 403, "this is not the admin token");
  }
  co_return who == bearer::right;
}

awaitable<void> admin_service::change_upstream(http::exchange& x, std::string name) const {
  bool const may = co_await may_change(x);
  if (!may) co_return;
  auto const before = sources_.look();
  if (!find(before, name)) {
    co_await refuse(x, 404, unknown_upstream(name));
    co_return;
  }
  auto const body = co_await read_body(x);
  auto const on = body ? enabled_in(*body) : std::nullopt;
  if (!on) {
    co_await refuse(x, 400, "the body must be {\"enabled\": true} or {\"enabled\": false}");
    co_return;
  }
  bool const known = sources_.enable(name, *on);
  if (!known)
    co_await refuse(x, 404, unknown_upstream(name));
  else
    co_await upstream(x, std::move(name));
}

awaitable<void> admin_service::purge_repository(http::exchange& x, std::string name_and_path) const {
  bool const may = co_await may_change(x);
  if (!may) co_return;
  auto const slash = name_and_path.find('/');
  auto const name = name_and_path.substr(0, slash);
  auto path = slash == name_and_path.npos ? std::string() : name_and_path.substr(slash + 1);
  if (path.empty()) {
    co_await refuse(x, 400, "name the repository: /api/v1/repositories/<upstream>/<path>");
    co_return;
  }
  auto const result = co_await sources_.purge(name, std::move(path));
  if (result == purge_result::no_upstream) co_return co_await refuse(x, 404, unknown_upstream(name));
  if (result == purge_result::own_tables) {
    co_return co_await refuse(x, 409,
                              "with auth.scope = \"user\" what single users were shown cannot be found by "
                              "repository; no objects are kept");
  }
  json::object const done{{"purged", true}, {"was_known", result == purge_result::purged}};
  co_await answer(x, 200, json_type, json::serialize(done) + "\n");
}

}  // namespace tankard::proxy::admin

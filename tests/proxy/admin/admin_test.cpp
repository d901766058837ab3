#include "proxy/admin/admin.hpp"

#include <gtest/gtest.h>

#include <unistd.h>

#include <boost/json/parse.hpp>

#include "tests/support/fake_exchange.hpp"

namespace tankard::proxy::admin {
namespace {

namespace json = boost::json;
using test::fake_exchange;
using header_list = std::vector<std::pair<std::string, std::string>>;

constexpr const char* the_token = "0123456789abcdef0123456789abcdef";

awaitable<std::string> some_metrics() { co_return std::string{"# HELP x y.\n"}; }

struct Admin : testing::Test {
  view now;
  bool is_ready = true;
  std::vector<std::pair<std::string, bool>> changes;
  admin_service service{
      {the_token, {"127.0.0.1", 8081}, {"status.corp"}},
      {[this] { return now; }, [this] { return is_ready; }, some_metrics,
       [this](const std::string& name, bool on) { return enable(name, on); },
       [this](std::string name, std::string path) { return purge(std::move(name), std::move(path)); }}};
  std::vector<std::string> purged;

  Admin() {
    now.upstreams = {{.name = "git.corp:3000", .url = "http://git.corp:3000", .state = "available", .available = true}};
    now.version = "1.2.3";
  }
  bool enable(const std::string& name, bool on) {
    changes.emplace_back(name, on);
    now.upstreams[0].enabled = on;
    return name == now.upstreams[0].name;
  }
  awaitable<purge_result> purge(std::string name, std::string path) {
    if (name != now.upstreams[0].name) co_return purge_result::no_upstream;
    if (path == "own") co_return purge_result::own_tables;
    purged.push_back(path);
    co_return path == "org/known" ? purge_result::purged : purge_result::not_known;
  }
  fake_exchange ask(const char* method, const char* target, header_list headers = {}, std::string body = {}) {
    bool const named = std::any_of(headers.begin(), headers.end(), [](auto& h) { return h.first == "Host"; });
    if (!named) headers.emplace_back("Host", "localhost:8081");
    fake_exchange x{method, target, std::move(headers), std::move(body)};
    x.read_chunk = 3;
    x.run([this](http::exchange& e) { return service.handle(e); });
    EXPECT_TRUE(x.finished()) << target;
    return x;
  }
  fake_exchange change(std::string body,
                       header_list headers = {{"Authorization", std::string{"Bearer "} + the_token}}) {
    return ask("PUT", "/api/v1/upstreams/git.corp:3000", std::move(headers), std::move(body));
  }
};

std::string error_of(const fake_exchange& x) {
  EXPECT_EQ(x.header("Content-Type"), "application/json");
  return std::string{json::parse(x.body).at("error").as_string()};
}

TEST_F(Admin, Health) {
  auto const x = ask("GET", "/healthz?verbose=1");
  EXPECT_EQ(x.status, 200u);
  EXPECT_EQ(x.header("Content-Type"), "application/json");
  EXPECT_EQ(json::parse(x.body).at("status"), "ok");
  now.upstreams[0].available = false;
  now.upstreams[0].state = "unavailable";
  auto const away = ask("GET", "/healthz");
  EXPECT_EQ(away.status, 200u);
  EXPECT_EQ(json::parse(away.body).at("status"), "degraded");
}

TEST_F(Admin, ReadinessFollowsTheIndex) {
  EXPECT_EQ(ask("GET", "/readyz").body, "ready\n");
  is_ready = false;
  EXPECT_EQ(ask("GET", "/readyz").status, 503u);
  EXPECT_EQ(ask("GET", "/healthz").status, 200u);
}

TEST_F(Admin, Metrics) {
  auto const x = ask("GET", "/metrics");
  EXPECT_EQ(x.status, 200u);
  EXPECT_TRUE(x.header("Content-Type").starts_with("text/plain; version=0.0.4"));
  EXPECT_EQ(x.body, "# HELP x y.\n");
}

TEST_F(Admin, PageNeedsNothingFromElsewhere) {
  auto const x = ask("GET", "/");
  EXPECT_EQ(x.status, 200u);
  EXPECT_TRUE(x.header("Content-Type").starts_with("text/html"));
  EXPECT_NE(x.header("Content-Security-Policy").find("default-src 'none'"), std::string::npos);
  EXPECT_NE(x.body.find("git.corp:3000"), std::string::npos);
  EXPECT_EQ(x.body.find("<script"), std::string::npos);
  EXPECT_EQ(x.body.find("src="), std::string::npos);
}

TEST_F(Admin, HeadIsGetWithoutABody) {
  for (auto const* path : {"/", "/healthz", "/readyz", "/metrics", "/api/v1/upstreams"}) {
    auto const x = ask("HEAD", path);
    EXPECT_EQ(x.status, 200u) << path;
    EXPECT_GT(x.length.value_or(0), 0u) << path;
    EXPECT_EQ(x.body, "") << path;
  }
}

TEST_F(Admin, UpstreamsCanBeListedAndLookedAt) {
  EXPECT_EQ(json::parse(ask("GET", "/api/v1/upstreams").body).at("upstreams").as_array().size(), 1u);
  EXPECT_EQ(json::parse(ask("GET", "/api/v1/upstreams/git.corp:3000").body).at("name"), "git.corp:3000");
  EXPECT_EQ(json::parse(ask("GET", "/api/v1/upstreams/git.corp%3A3000").body).at("name"), "git.corp:3000");
  auto const unknown = ask("GET", "/api/v1/upstreams/nobody");
  EXPECT_EQ(unknown.status, 404u);
  EXPECT_EQ(error_of(unknown), "there is no upstream named `nobody`");
}

TEST_F(Admin, ATokenSwitchesAnUpstream) {
  auto const off = change("{\"enabled\": false}");
  EXPECT_EQ(off.status, 200u);
  EXPECT_EQ(json::parse(off.body).at("enabled"), false);
  EXPECT_EQ(json::parse(change("{\"enabled\":true}").body).at("enabled"), true);
  EXPECT_EQ(changes, (std::vector<std::pair<std::string, bool>>{{"git.corp:3000", false}, {"git.corp:3000", true}}));
}

TEST_F(Admin, WithoutTheTokenNothingChanges) {
  auto const none = change("{\"enabled\": false}", {});
  EXPECT_EQ(none.status, 401u);
  EXPECT_EQ(none.header("WWW-Authenticate"), "Bearer");
  EXPECT_TRUE(none.closes);
  for (auto const* wrong : {"Bearer x", "Bearer 0123456789abcdef0123456789abcdee"})
    EXPECT_EQ(change("{\"enabled\": false}", {{"Authorization", wrong}}).status, 403u);
  EXPECT_EQ(change("{\"enabled\": false}", {{"Authorization", "Basic eDp5"}}).status, 401u);
  // Who may not change anything does not learn what there is.
  EXPECT_EQ(ask("PUT", "/api/v1/upstreams/nobody").status, 401u);
  EXPECT_TRUE(changes.empty());
}

TEST_F(Admin, BadBodiesAreRefusedWithASentence) {
  for (auto const* body :
       {"", "{", "[]", "true", "{}", "{\"enabled\": 1}", "{\"enabled\": true, \"x\": 1}", "{\"enabled\": true} x"}) {
    auto const x = change(body);
    EXPECT_EQ(x.status, 400u) << body;
    EXPECT_EQ(error_of(x), "the body must be {\"enabled\": true} or {\"enabled\": false}");
  }
  EXPECT_EQ(change("{\"enabled\": true" + std::string(10'000, ' ') + "}").status, 400u);
  EXPECT_EQ(change(std::string(4000, '[')).status, 400u);
  EXPECT_TRUE(changes.empty());
}

TEST_F(Admin, ATokenPurgesARepository) {
  header_list const bearing{{"Authorization", std::string{"Bearer "} + the_token}};
  auto const known = ask("DELETE", "/api/v1/repositories/git.corp:3000/org/known", bearing);
  EXPECT_EQ(known.status, 200u);
  EXPECT_EQ(json::parse(known.body).at("was_known"), true);
  EXPECT_EQ(json::parse(ask("DELETE", "/api/v1/repositories/git.corp:3000/x", bearing).body).at("was_known"), false);
  EXPECT_EQ(ask("DELETE", "/api/v1/repositories/nobody/x", bearing).status, 404u);
  EXPECT_EQ(ask("DELETE", "/api/v1/repositories/git.corp:3000", bearing).status, 400u);
  EXPECT_EQ(ask("DELETE", "/api/v1/repositories/git.corp:3000/own", bearing).status, 409u);
  EXPECT_EQ(ask("DELETE", "/api/v1/repositories/git.corp:3000/org/known").status, 401u);
  EXPECT_EQ(ask("GET", "/api/v1/repositories/git.corp:3000/org/known").header("Allow"), "DELETE");
  EXPECT_EQ(purged, (std::vector<std::string>{"org/known", "x"}));
}

TEST_F(Admin, UnknownNamesAreRefusedBeforeTheBody) {
  auto const x = ask("PUT", "/api/v1/upstreams/nobody", {{"Authorization", std::string{"Bearer "} + the_token}},
                     "{\"enabled\": true}");
  EXPECT_EQ(x.status, 404u);
  EXPECT_TRUE(changes.empty());
}

TEST_F(Admin, OtherPathsAndMethods) {
  for (auto const* path : {"/x", "/healthz/", "/api", "/api/v1/upstreams/", "//", "/..%2fhealthz", "/Healthz"})
    EXPECT_EQ(ask("GET", path).status, 404u) << path;
  for (auto const* path : {"http://localhost/healthz", "*", "", "/%", "/%zz", "/%4"})
    EXPECT_EQ(ask("GET", path).status, 400u) << path;
  auto const post = ask("POST", "/healthz");
  EXPECT_EQ(post.status, 405u);
  EXPECT_EQ(post.header("Allow"), "GET, HEAD");
  auto const deleted = ask("DELETE", "/api/v1/upstreams/git.corp:3000");
  EXPECT_EQ(deleted.status, 405u);
  EXPECT_EQ(deleted.header("Allow"), "GET, HEAD, PUT");
  EXPECT_EQ(error_of(deleted), "this path does not know the method");
}

TEST_F(Admin, ForeignNamesAreRefused) {
  auto const x = ask("GET", "/healthz", {{"Host", "evil.example"}});
  EXPECT_EQ(x.status, 403u);
  EXPECT_NE(error_of(x).find("admin.hosts"), std::string::npos);
  EXPECT_EQ(ask("GET", "/healthz", {{"Host", "status.corp"}}).status, 200u);
  EXPECT_EQ(ask("GET", "/healthz", {{"Host", "localhost"}, {"Host", "evil.example"}}).status, 403u);
}

TEST_F(Admin, EveryAnswerIsReportedAndUncached) {
  auto x = ask("GET", "/healthz");
  EXPECT_EQ(x.report().outcome, outcome::local);
  EXPECT_EQ(x.report().source, "self");
  EXPECT_EQ(x.header("Cache-Control"), "no-store");
  auto y = ask("POST", "/");
  EXPECT_EQ(y.report().outcome, outcome::refused);
  EXPECT_EQ(y.report().reason, reason::method);
}

TEST_F(Admin, AClientThatLeavesHarmsNothing) {
  fake_exchange x{"GET", "/healthz", {{"Host", "localhost"}}};
  x.take_bytes = 5;
  x.run([this](http::exchange& e) { return service.handle(e); });
  EXPECT_FALSE(x.finished());
  fake_exchange y{"PUT",
                  "/api/v1/upstreams/git.corp:3000",
                  {{"Host", "localhost"}, {"Authorization", std::string{"Bearer "} + the_token}},
                  "{\"ena"};
  y.body_breaks = true;
  y.run([this](http::exchange& e) { return service.handle(e); });
  EXPECT_TRUE(changes.empty());
}

TEST_F(Admin, OnAUnixSocketNoNameIsWrongAndItsOwnerNeedsNoToken) {
  auto const from = [this](const char* peer, std::optional<unsigned> user) {
    fake_exchange x{"PUT", "/api/v1/upstreams/git.corp:3000", {{"Host", "evil.example"}}, "{\"enabled\": false}"};
    x.head().peer = peer;
    x.head().local_user = user;
    x.run([this](http::exchange& e) { return service.handle(e); });
    return x.status;
  };
  EXPECT_EQ(from("127.0.0.1", std::nullopt), 403u);
  EXPECT_EQ(from("unix", std::nullopt), 401u);
  EXPECT_EQ(from("unix", ::geteuid() + 4711), 401u) << "another user of this machine, whatever the socket's mode";
  EXPECT_TRUE(changes.empty());
  EXPECT_EQ(from("unix", ::geteuid()), 200u);
  EXPECT_EQ(from("unix", 0), 200u);
  EXPECT_EQ(changes.size(), 2u);
}

}  // namespace
}  // namespace tankard::proxy::admin

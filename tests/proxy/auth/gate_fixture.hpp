#pragma once
// A gate with everything it needs, in a folder of its own: files with permissions, a clock that stands still, a log
// that can be read.

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <boost/asio/io_context.hpp>
#include <csignal>
#include <fstream>
#include <mutex>

#include "proxy/auth/make_gate.hpp"
#include "tests/support/fake_clock.hpp"
#include "tests/support/run_coroutine.hpp"
#include "tests/support/temp_dir.hpp"

namespace tankard::proxy::auth {

using namespace std::chrono_literals;

inline http::request_head request_with(std::initializer_list<std::pair<const char*, std::string>> headers,
                                       std::string peer = "10.0.0.7") {
  http::request_head r;
  r.method = http::verb::get;
  r.headers.insert("Host", "tankard");
  for (auto const& [name, value] : headers) r.headers.insert(name, value);
  r.peer = std::move(peer);
  return r;
}

class gate_fixture : public testing::Test {
 public:
  gate_fixture() {
    static auto const ignored = std::signal(SIGPIPE, SIG_IGN);  // as main does
    (void)ignored;
    upstream.name = "git.corp";
    upstream.mode = config::auth_mode::service;
  }
  ~gate_fixture() override {
    test::run(io, background.wait_empty(20s));
    pool.join();
  }

  /// Written beside and renamed, as operators are told to.
  std::string write(const std::string& name, std::string_view text, mode_t mode = 0600) {
    auto const file = folder.path() / name;
    auto const beside = file.string() + ".new";
    std::ofstream{beside} << text;
    ::chmod(beside.c_str(), mode);
    std::filesystem::rename(beside, file);
    return file.string();
  }
  std::string script(const std::string& name, const std::string& body) {
    return write(name, "#!/bin/sh\n" + body + "\n", 0700);
  }
  std::string path(const std::string& name) const { return (folder.path() / name).string(); }
  std::string text_of(const std::string& name) const {
    std::ifstream in{folder.path() / name};
    return {std::istreambuf_iterator<char>{in}, {}};
  }

  config::credential& add_credential(const std::string& id) {
    config::credential c;
    c.id = id;
    c.type = "bearer";
    upstream.credentials.push_back(std::move(c));
    return upstream.credentials.back();
  }
  config::client_rule& add_client(const std::string& id) {
    config::client_rule c;
    c.id = id;
    upstream.clients.push_back(std::move(c));
    return upstream.clients.back();
  }
  void admit_everybody() { add_client("all").networks = {"0.0.0.0/0", "::/0"}; }

  /// "" where it was made.
  std::string open() {
    auto made = make_gate(upstream, 0, parts);
    if (!made) return made.error();
    gate_ = std::move(*made);
    return {};
  }
  admittance admit(const http::request_head& request, const std::string& repo = "group/project") {
    return test::run(io, gate_->admit(request, repo));
  }
  admittance admit(const std::string& repo = "group/project") { return admit(request_with({}), repo); }
  /// The Authorization header that upstream would see; "" where there is none.
  std::string shown(const std::string& repo = "group/project") {
    auto const a = admit(repo);
    return a.who ? std::string(a.who->headers["Authorization"]) : std::string{};
  }
  void settle() { EXPECT_TRUE(test::run(io, background.wait_empty(20s))); }
  std::string log_text() {
    std::lock_guard const lock(mu_);
    return log_text_;
  }
  double count(const std::string& result) {
    auto const name = "tankard_credential_command_runs_total{result=\"" + result + "\",upstream=\"git.corp\"} ";
    auto const text = "\n" + meters.expose({});
    auto const at = text.find("\n" + name) != text.npos ? text.find(name) : text.npos;
    if (at == text.npos) {
      auto const other = text.find("tankard_credential_command_runs_total{upstream=\"git.corp\",result=\"" + result);
      return other == text.npos ? -1 : std::stod(text.substr(text.find(' ', other)));
    }
    return std::stod(text.substr(at + name.size()));
  }

  test::temp_dir folder;
  asio::io_context io{1};
  test::fake_clock clock;
  cache::secret_key key{1, 2, 3};
  cache::blocking_pool pool{2};
  net::task_group background{[](std::exception_ptr) { ADD_FAILURE() << "background work threw"; }};
  metrics::metrics meters{words(), "1"};
  log::logger logs{config::log{.format = "json", .level = "debug"}, clock, [this](log::level, std::string_view line) {
                     std::lock_guard const lock(mu_);
                     log_text_ += std::string(line) + "\n";
                   }};
  config::upstream upstream;
  gate_parts parts{key, clock, pool, background, meters, logs};
  std::unique_ptr<gate> gate_;

 private:
  static metrics::label_words words() {
    metrics::label_words w;
    w.upstreams = {"git.corp"};
    w.operations = w.protocols = w.outcomes = w.reasons = w.states = w.sources = w.results = {"x"};
    return w;
  }
  std::mutex mu_;
  std::string log_text_;  // guarded by mu_
};

}  // namespace tankard::proxy::auth

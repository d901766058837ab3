#include "proxy/config/load.hpp"

#include <gtest/gtest.h>

#include <fstream>

#include "tests/support/temp_dir.hpp"

namespace tankard::proxy::config {
namespace {

using namespace std::chrono_literals;

/// A configuration file in a folder of its own: tests run beside each other.
class file {
 public:
  explicit file(std::string_view text) { std::ofstream{folder() / name} << text; }
  std::filesystem::path folder() const { return folder_.path(); }
  std::string path() const { return (folder() / name).string(); }

 private:
  static constexpr const char* name = "tankard.toml";
  test::temp_dir folder_;
};

load_result from_file(const file& f, const environment& env = {}, flags more = {}) {
  more.config_file = f.path();
  return load(more, env);
}

/// The one problem.
std::string only_problem(const load_result& r) {
  if (r.problems.size() != 1) {
    std::string all = std::to_string(r.problems.size()) + " problems:";
    for (auto const& p : r.problems) all += "\n" + p;
    return all;
  }
  return r.problems[0];
}

/// The one problem of a file, with its folder taken out.
std::string problem_of(std::string_view toml) {
  file const f{toml};
  auto text = only_problem(from_file(f));
  auto const folder = f.folder().string() + "/";
  for (std::size_t at = 0; (at = text.find(folder)) != text.npos;) text.erase(at, folder.size());
  return text;
}

TEST(Load, NothingNamedIsGithub) {
  auto const r = load({}, {});
  ASSERT_TRUE(r.ok());
  ASSERT_EQ(r.value.upstreams.size(), 1u);
  EXPECT_EQ(r.value.upstreams[0].mount, "/github.com");
  EXPECT_EQ(r.value.upstreams[0].name, "github.com");
  EXPECT_EQ(r.value.upstreams[0].kind, cache::upstream_kind::github);
  EXPECT_EQ(r.value.listen.port, 8080);
}

TEST(Load, LaterSourcesWin) {
  file const f{"[ls_refs]\nttl = \"1m\"\nmax_age = \"1m\"\npatience = \"1m\"\n[timeouts]\nconnect = \"1s\"\n"};
  flags more;
  more.sets = {"ls_refs.patience=3m", "listen=127.0.0.1:3"};
  more.listen = "127.0.0.1:2";
  auto const r = from_file(
      f, {{"TANKARD_LS_REFS_MAX_AGE", "2m"}, {"TANKARD_LS_REFS_PATIENCE", "2m"}, {"TANKARD_LISTEN", ":1"}}, more);
  ASSERT_TRUE(r.ok()) << r.problems[0];
  EXPECT_EQ(r.value.refs.ttl, 1min);
  EXPECT_EQ(r.value.refs.max_age, 2min);
  EXPECT_EQ(r.value.refs.patience, 3min);
  EXPECT_EQ(r.value.time.connect, 1s);
  EXPECT_EQ(r.value.listen.port, 3);
}

TEST(Load, MistakesNameLineAndNearestKey) {
  EXPECT_EQ(problem_of("\n[ls_refs]\ntll = \"5m\"\n"),
            "unknown key `ls_refs.tll` at tankard.toml:3, did you mean `ls_refs.ttl`?");
  EXPECT_EQ(problem_of("quux = 1"), "unknown key `quux` at tankard.toml:1");
  EXPECT_EQ(problem_of("[ls_refs]\nttl = \"soon\""),
            "`ls_refs.ttl` at tankard.toml:2 must be a duration, such as 5m, 3s or 500ms, from 0s to 365d, is the text "
            "`soon`");
  EXPECT_EQ(problem_of("threads = 1000"), "`threads` at tankard.toml:1 must be a number from 0 to 256, is `1000`");
  EXPECT_EQ(problem_of("ls_refs = 1"), "unknown key `ls_refs` at tankard.toml:1");
  EXPECT_EQ(problem_of("[upstream.x]\nurl = \"https://h\"\npsuh = true"),
            "unknown key `upstream.x.psuh` at tankard.toml:3, did you mean `upstream.x.push`?");
  EXPECT_EQ(problem_of("[upstream.x]\nurl = \"https://h\"\n[upstream.x.auth]\nmood = \"service\""),
            "unknown key `upstream.x.auth.mood` at tankard.toml:4, did you mean `upstream.x.auth.mode`?");
}

TEST(Load, EveryMistakeIsFoundInOneGo) {
  file const f{"a = 1\nthreads = true\n[upstream.x]\nurl = 3\n"};
  flags more;
  more.sets = {"nonsense", "ls_refs.tlt=1s"};
  EXPECT_EQ(from_file(f, {{"TANKARD_LS_REFS_TLT", "1s"}}, more).problems.size(), 7u);  // and x lacks a url
}

TEST(Load, BrokenTomlSaysWhere) {
  auto const p = problem_of("listen = \"a:1\"\nthreads = = 3\n");
  EXPECT_TRUE(p.starts_with("tankard.toml:2 is not valid TOML: ")) << p;
}

TEST(Load, MissingFile) {
  flags f;
  f.config_file = "/nonexistent/tankard.toml";
  EXPECT_EQ(only_problem(load(f, {})), "cannot read the configuration file `/nonexistent/tankard.toml`");
  EXPECT_EQ(only_problem(load({}, {{"TANKARD_CONFIG", "/nonexistent/t"}})),
            "cannot read the configuration file `/nonexistent/t`");
  f.config_file = "/tmp";
  EXPECT_EQ(only_problem(load(f, {})), "cannot read the configuration file `/tmp`");
}

TEST(Load, UnknownVariables) {
  EXPECT_EQ(only_problem(load({}, {{"TANKARD_LSREFS_TTL", "1s"}})),
            "unknown environment variable `TANKARD_LSREFS_TTL`, did you mean `TANKARD_LS_REFS_TTL`?");
  EXPECT_TRUE(load({}, {{"TANKARD_OFFLINE", ""}, {"PATH", "/bin"}, {"TANKARDX", "1"}, {"TANKARD_BIN", "x"}}).ok());
  EXPECT_EQ(only_problem(load({}, {{"TANKARD_OFFLINE", "maybe"}})),
            "`offline` in TANKARD_OFFLINE must be true or false, is `maybe`");
}

TEST(Load, UpstreamsCanBeSwitchedOffFromEverywhere) {
  EXPECT_FALSE(load({}, {{"TANKARD_UPSTREAM_GITHUB_COM_ENABLED", "false"}}).value.upstreams.at(0).enabled);
  flags f;
  f.sets = {"upstream.github.com.enabled=false"};
  EXPECT_FALSE(load(f, {}).value.upstreams.at(0).enabled);
  f.upstreams = {"http://127.0.0.1:3000"};
  f.sets = {"upstream.127.0.0.1:3000.enabled=off"};
  auto const r = load(f, {});
  ASSERT_TRUE(r.ok()) << r.problems[0];
  EXPECT_FALSE(r.value.upstreams.at(0).enabled);
  f.sets = {"upstream.nobody.enabled=off"};
  EXPECT_FALSE(load(f, {}).ok());
}

TEST(Load, SetCanNameAnUpstream) {
  flags f;
  f.sets = {"upstream.a.url=http://127.0.0.1:3000", "upstream.a.mount=/"};
  auto const r = load(f, {});
  ASSERT_TRUE(r.ok()) << r.problems[0];
  ASSERT_EQ(r.value.upstreams.size(), 1u);
  EXPECT_EQ(r.value.upstreams[0].name, "a");
  EXPECT_EQ(r.value.upstreams[0].mount, "");
}

TEST(Load, FlagsMountUpstreams) {
  flags f;
  f.upstreams = {"http://h:3000/a/b"};
  auto const one = load(f, {});
  ASSERT_TRUE(one.ok());
  EXPECT_EQ(one.value.upstreams[0].mount, "/h:3000/a/b");
  EXPECT_EQ(one.value.upstreams[0].base_path, "/a/b");
  flags root;
  root.root_upstream = "http://h:3000/a";
  EXPECT_EQ(load(root, {}).value.upstreams[0].mount, "");
  EXPECT_EQ(load(root, {}).value.upstreams[0].base_path, "/a");
}

TEST(Load, SecretsInUrlsAreRefusedUnrepeated) {
  flags f;
  f.upstreams = {"https://bot:hunter2@h"};
  auto const p = only_problem(load(f, {}));
  EXPECT_EQ(p,
            "the URL in --upstream may not hold a user name or password: credentials come from clients or from files");
  auto const q = problem_of("[upstream.x]\nurl = \"https://bot:hunter2@h\"");
  EXPECT_EQ(q,
            "`upstream.x.url` at tankard.toml:2 may not hold a user name or password: credentials come from clients or "
            "from files");
  f = {};
  f.sets = {"admin.token=hunter2"};
  EXPECT_EQ(only_problem(load(f, {})).find("hunter2"), std::string::npos);
}

TEST(Load, TwoUpstreamsByPathNeedAWord) {
  flags f;
  f.upstreams = {"http://h:1", "http://h:2"};
  auto const p = only_problem(load(f, {}));
  EXPECT_NE(p.find("allow_shared_authority = true"), std::string::npos) << p;
  EXPECT_NE(p.find("credential.useHttpPath"), std::string::npos) << p;
  f.sets = {"allow_shared_authority=true"};
  EXPECT_TRUE(load(f, {}).ok());
  EXPECT_TRUE(from_file(file{"[upstream.a]\nurl='https://a'\n[upstream.b]\nurl='https://b'\nhosts=['b.corp']"}).ok());
}

TEST(Load, DuplicatesAreRefused) {
  flags f;
  f.upstreams = {"http://h:1", "http://h:1/x"};
  f.sets = {"allow_shared_authority=true"};
  EXPECT_TRUE(only_problem(load(f, {})).starts_with("there are two upstreams named `h:1`, the second in --upstream"));
  EXPECT_EQ(problem_of("allow_shared_authority=true\n[upstream.a]\nurl='https://a'\nmount='/"
                       "x'\n[upstream.b]\nurl='https://b'\nmount='/x/'"),
            "upstreams `a` and `b` are both mounted at `/x`; set another `mount` or `hosts` for one of them");
  EXPECT_EQ(problem_of("[upstream.a]\nurl='https://a'\nhosts=['g']\n[upstream.b]\nurl='https://b'\nhosts=['G']"),
            "upstreams `a` and `b` both claim the host `g` in `hosts`");
}

TEST(Load, UpstreamMistakesNameTheirPlace) {
  EXPECT_EQ(problem_of("\n[upstream.x]\n"),
            "`upstream.x.url` at tankard.toml:2 must be set, such as url = \"https://github.com\"");
  EXPECT_EQ(problem_of("[upstream.x]\nurl='https://h'\nmount='/a/../b'"),
            "`upstream.x.mount` at tankard.toml:3 may not have the segments `.` and `..`");
  EXPECT_EQ(problem_of("[upstream.none]\nurl='https://h'").substr(0, 40), "`upstream.none` at tankard.toml:1 may no");
  EXPECT_EQ(problem_of("[upstream]\nurl='https://h'\n[upstream.y]\nurl='https://h'"),
            "`upstream.url` at tankard.toml:2 must be in a table with a name, such as [upstream.github]");
  EXPECT_NE(problem_of("[upstream.x]\nurl='https://h'\nca_file='/nonexistent'")
                .find("`upstream.x.ca_file` at tankard.toml:3"),
            std::string::npos);
}

TEST(Load, CrossChecks) {
  EXPECT_EQ(problem_of("[sync]\nmirror_refs=['refs/heads']"),
            "`sync.mirror_refs` at tankard.toml:2 must be prefixes from `refs/` to a `/`, is `refs/heads`");
  EXPECT_NE(problem_of("[admin]\nlisten='127.0.0.1:8080'").find("must differ from `listen`"), std::string::npos);
}

TEST(Load, DefaultDirectory) {
  EXPECT_EQ(load({}, {{"XDG_CACHE_HOME", "/x"}}).value.cache_directory, "/x/tankard");
  auto const r = load({}, {{"XDG_CACHE_HOME", "/x"}, {"TANKARD_CACHE_DIRECTORY", "/y"}});
  EXPECT_EQ(r.value.cache_directory, "/y");
  EXPECT_EQ(r.value.ls_refs_path(), "/y/ls-refs");
  EXPECT_EQ(r.value.token_path(), "/y/admin.token");
}

}  // namespace
}  // namespace tankard::proxy::config

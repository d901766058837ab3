#include "proxy/config/settings.hpp"

#include <gtest/gtest.h>

#include <toml++/toml.h>
#include <set>

#include "proxy/config/load.hpp"

#include "tests/support/temp_dir.hpp"

namespace tankard::proxy::config {
namespace {

TEST(Settings, DefaultsLieInTheirRanges) {
  config c;
  for (auto const& s : global_settings()) {
    if (!s.default_note.empty()) continue;
    auto const text = show(s.rule, s.at(c));
    EXPECT_EQ(assign(s.rule, s.at(c), untyped{text}), std::nullopt) << s.key;
    EXPECT_EQ(show(s.rule, s.at(c)), text) << s.key;
  }
}

TEST(Settings, EveryKeyAndVariableIsThereOnceAndSaysWhatItIs) {
  std::set<std::string> keys, names;
  std::set<const void*> places;
  config c;
  for (auto const& s : global_settings()) {
    EXPECT_TRUE(keys.insert(std::string{s.key}).second) << s.key;
    EXPECT_TRUE(names.insert(environment_name(s.key)).second) << s.key;
    EXPECT_TRUE(places.insert(std::visit([](auto* p) { return static_cast<const void*>(p); }, s.at(c))).second)
        << s.key;
    EXPECT_TRUE(s.doc.ends_with('.')) << s.key;
  }
  for (auto const& s : upstream_settings()) EXPECT_TRUE(s.doc.ends_with('.')) << s.key;
  for (auto const& s : credential_settings()) EXPECT_TRUE(s.doc.ends_with('.')) << s.key;
  for (auto const& s : client_settings()) EXPECT_TRUE(s.doc.ends_with('.')) << s.key;
}

TEST(Settings, NumbersHaveRanges) {
  for (auto const& s : global_settings()) {
    bool const number =
        s.rule.type == value_type::integer || s.rule.type == value_type::bytes || s.rule.type == value_type::duration;
    EXPECT_EQ(number, s.rule.max > s.rule.min) << s.key;
  }
}

TEST(Settings, EnvironmentNames) {
  EXPECT_EQ(environment_name("ls_refs.ttl"), "TANKARD_LS_REFS_TTL");
  EXPECT_EQ(environment_name("upstream.git.corp:80.enabled"), "TANKARD_UPSTREAM_GIT_CORP_80_ENABLED");
}

TEST(Settings, MarkdownHasARowForEachKey) {
  auto const text = settings_as_markdown();
  EXPECT_NE(text.find("| `ls_refs.ttl` | duration | `5m` | 0s to 365d |"), std::string::npos) << text;
  EXPECT_NE(text.find("| `upstream.<name>.url` | text | none, must be set |"), std::string::npos);
  auto const rows = static_cast<std::size_t>(std::count(text.begin(), text.end(), '\n')) - 2;
  EXPECT_NE(text.find("| `upstream.<name>.credential.<id>.lifetime` | duration | `10m` |"), std::string::npos);
  EXPECT_NE(text.find("| `upstream.<name>.client.<id>.networks` | list |"), std::string::npos);
  EXPECT_EQ(rows, global_settings().size() + upstream_settings().size() + credential_settings().size() +
                      client_settings().size());
}

TEST(Settings, EffectiveTomlLoadsToTheSame) {
  flags f;
  f.upstreams = {"http://127.0.0.1:3000/a%20b"};
  f.sets = {"ls_refs.ttl=90m",
            "upstream.127.0.0.1:3000.deny=x/*,y",
            "upstream.127.0.0.1:3000.mirror.policy=always",
            "upstream.127.0.0.1:3000.mirror.never=big/**",
            "admin.hosts=status.corp",
            "log.level=debug"};
  auto const first = load(f, {});
  ASSERT_TRUE(first.ok()) << first.problems.front();
  auto const text = effective_toml(first.value);
  test::temp_dir const folder;
  auto const file = folder.path() / "effective.toml";
  FILE* const out = fopen(file.c_str(), "w");
  ASSERT_TRUE(out);
  fputs(text.c_str(), out);
  fclose(out);
  flags again;
  again.config_file = file;
  auto const second = load(again, {});
  ASSERT_TRUE(second.ok()) << second.problems.front() << "\n" << text;
  EXPECT_EQ(effective_toml(second.value), text);
  EXPECT_NE(text.find("ttl = \"90m\""), std::string::npos);
  EXPECT_EQ(second.value.upstreams[0].deny, (std::vector<std::string>{"x/*", "y"}));
  EXPECT_EQ(second.value.upstreams[0].mirror, mirror_policy::always);
  EXPECT_EQ(second.value.upstreams[0].mirror_never, (std::vector<std::string>{"big/**"}));
}

}  // namespace
}  // namespace tankard::proxy::config

#include "proxy/upstream/location.hpp"

#include <gtest/gtest.h>

#include <array>

namespace tankard::proxy::upstream {
namespace {

const std::array<known_upstream, 6> known{{{"https://github.com", "", "/github.com", ""},
                                           {"http://127.0.0.1:3000", "", "/127.0.0.1:3000", ""},
                                           {"https://git.corp:8443", "/scm", "/corp", ""},
                                           {"https://git.corp:8443", "/scm/deep", "/deep", ""},
                                           {"http://[::1]:80", "", "", ""},
                                           {"https://own.example", "/g/", "", "http://own.tankard.corp"}}};

struct row {
  std::string_view location;
  std::string_view moved;  ///< "" = left alone
};

void check(std::initializer_list<row> rows, std::size_t own, std::string_view target, std::string_view self = {}) {
  for (auto const& r : rows) {
    auto const moved = move_location(r.location, known, {own, target}, self);
    EXPECT_EQ(moved.value_or(""), r.moved) << r.location;
  }
}

TEST(Location, InsideAKnownUpstreamMovesUnderItsMount) {
  check({{"https://github.com/org/new.git/info/refs?service=git-upload-pack",
          "/github.com/org/new.git/info/refs?service=git-upload-pack"},
         {"HTTPS://GitHub.COM:443/Org/New", "/github.com/Org/New"},
         {"https://github.com:/x", "/github.com/x"},
         {"https://github.com", "/github.com/"},
         {"https://github.com?x=1", "/github.com/?x=1"},
         {"https://github.com/a#frag", "/github.com/a#frag"},
         {"http://127.0.0.1:3000/a/b", "/127.0.0.1:3000/a/b"},
         {"https://git.corp:8443/scm/x", "/corp/x"},
         {"https://git.corp:8443/scm", "/corp"},
         {"https://git.corp:8443/scm/deep/x", "/deep/x"},
         {"https://git.corp:8443/scm/deeper/x", "/corp/deeper/x"},
         {"https://git.corp:8443/scm/a/../b/./c", "/corp/b/c"},
         {"http://[::1]/x", "/x"},
         {"http://[::1]", "/"},
         {"https://own.example/g/x", "http://own.tankard.corp/x"}},
        0, "/org/old.git/info/refs");
}

TEST(Location, AnythingElseIsLeftAlone) {
  check({{"https://github.com.evil.org/x", ""},
         {"https://evil.org/github.com/x", ""},
         {"http://github.com/x", ""},
         {"https://github.com:444/x", ""},
         {"https://github.com:0/x", ""},
         {"https://github.com:99999/x", ""},
         {"https://github.com:44x/x", ""},
         {"https://user:pw@github.com/x", ""},
         {"https://github.com@evil.org/x", ""},
         {"//user@github.com/x", ""},
         {"https://git.corp:8443/scmx/y", ""},
         {"https://git.corp:8443/scm/../other", ""},
         {"https://git.corp:8443/", ""},
         {"ftp://github.com/x", ""},
         {"mailto:x@github.com", ""},
         {"https:github.com/x", ""},
         {"https://github.com\\@evil.org/x", ""},
         {"https://github.com/a b", ""},
         {"https://github.com/a\r\nX: y", ""},
         {"#frag", ""},
         {"", ""}},
        0, "/org/old.git/info/refs");
}

TEST(Location, RelativeOnesAreResolvedAgainstWhatWasAsked) {
  check({{"/org/new/info/refs", "/github.com/org/new/info/refs"},
         {"refs2?x", "/github.com/org/old.git/info/refs2?x"},
         {"../HEAD", "/github.com/org/old.git/HEAD"},
         {"../../../../../x", "/github.com/x"},
         {"?service=a", "/github.com/org/old.git/info/refs?service=a"},
         {"//github.com/x", "/github.com/x"},
         {"//127.0.0.1:3000/x", "https://127.0.0.1:3000/x"}},
        0, "/org/old.git/info/refs?service=b");
  check({{"/scm/x", "/corp/x"}, {"/login", "https://git.corp:8443/login"}}, 2, "/scm/a/info/refs");
}

TEST(Location, IsNeverReadAsAnotherHost) {
  check({{"http://[::1]//evil.org/x", "/.//evil.org/x"}}, 4, "/");
  check({{"http://[::1]//evil.org/x", "http://tankard:8080//evil.org/x"}}, 4, "/", "http://tankard:8080");
}

TEST(Location, StandsBelowTheOriginGiven) {
  check({{"https://github.com/x?y", "http://tankard:8080/github.com/x?y"},
         {"https://own.example/g/x", "http://own.tankard.corp/x"},
         {"https://evil.org/x", ""}},
        0, "/", "http://tankard:8080");
}

TEST(Location, TheUpstreamAskedWinsAmongEquals) {
  std::array<known_upstream, 2> const twice{{{"https://h", "", "/one", ""}, {"https://h", "", "/two", ""}}};
  EXPECT_EQ(move_location("https://h/x", twice, {0, "/"}), "/one/x");
  EXPECT_EQ(move_location("https://h/x", twice, {1, "/"}), "/two/x");
}

}  // namespace
}  // namespace tankard::proxy::upstream

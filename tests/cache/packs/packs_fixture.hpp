#pragma once
// A pack cache in a folder of its own, and spools to put into it.

#include <sys/stat.h>

#include <fstream>
#include <iterator>

#include "cache/packs/pack_cache.hpp"
#include "tests/cache/spool/spool_fixture.hpp"
#include "tests/support/fake_clock.hpp"

namespace tankard::test {

class PacksFixture : public SpoolFixture {
 protected:
  PacksFixture() { start(); }

  /// A new process on the same folder.
  void start() {
    packs.reset();
    packs = std::make_unique<cache::pack_cache>(
        pack_options, clock, [this](const std::string& what, const std::string&) { problems.push_back(what); });
    ASSERT_TRUE(packs->load());
  }
  static cache::pack_key key(const std::string& request, const std::string& repo = "repo",
                             const std::string& generation = "g1") {
    return {cache::sha256::of(repo + generation + request), cache::sha256::of(repo), generation};
  }
  cache::spool_ptr sealed(const std::string& bytes) {
    auto w = create();
    EXPECT_TRUE(append(*w, bytes));
    w->seal();
    return w->target();
  }
  bool put(const cache::pack_key& k, const std::string& bytes) {
    return packs->put(k, *sealed(bytes), cache::sha256::of(bytes));
  }
  static std::string content(const cache::cached_pack_ptr& p) {
    std::string out(p ? p->size : 0, '\0');
    if (p) EXPECT_EQ(::pread(p->fd.get(), out.data(), out.size(), 0), static_cast<ssize_t>(out.size()));
    return out;
  }
  std::string found(const cache::pack_key& k) { return content(packs->find(k)); }
  std::filesystem::path folder() const { return pack_options.folder / "v1"; }
  std::vector<std::string> names() const { return files_in(folder()); }

  fake_clock clock;
  cache::pack_cache_options pack_options{dir.path() / "packs", 1u << 20, 1u << 19};
  std::vector<std::string> problems;
  std::unique_ptr<cache::pack_cache> packs;
};

inline std::string file_content(const std::filesystem::path& file) {
  std::ifstream in(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}
inline void write_file(const std::filesystem::path& file, const std::string& bytes) {
  std::ofstream(file, std::ios::binary) << bytes;
}

}  // namespace tankard::test

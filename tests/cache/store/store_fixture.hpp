#pragma once
// A cache directory with its stores, and a source repository to fill them from.

#include <gtest/gtest.h>
#include <signal.h>

#include <memory>

#include "cache/store/git_repository.hpp"
#include "cache/store/store_ingest.hpp"
#include "tests/support/run_coroutine.hpp"
#include "tests/support/temp_repo.hpp"

namespace tankard::cache {

using protocol::object_id;
using oid_list = std::vector<object_id>;

inline const std::vector<std::string> all_refs{"refs/"};

/// For a suite that stores of either format have to pass.
inline std::string name_of_format(const testing::TestParamInfo<protocol::object_format>& info) {
  return std::string(to_string(info.param));
}
inline const auto both_formats = testing::Values(protocol::object_format::sha1, protocol::object_format::sha256);

/// An object that is nowhere.
inline object_id made_up(protocol::object_format format, char digit = '5') {
  return *object_id::from_hex(std::string(hex_size(format), digit));
}
inline protocol::object_format other_than(protocol::object_format format) {
  using enum protocol::object_format;
  return format == sha1 ? sha256 : sha1;
}

class StoreFixture : public testing::Test {
 protected:
  explicit StoreFixture(protocol::object_format format = protocol::object_format::sha1) : source(format) {
    ::signal(SIGPIPE, SIG_IGN);  // as main does
    restart();
  }
  ~StoreFixture() override {
    pool.join();
    EXPECT_EQ(subprocess::running(), 0u);
  }

  /// As after the process began anew.
  void restart() {
    stores = std::make_unique<store_set>(root.path());
    ASSERT_TRUE(stores->start());
  }
  store_ingest ingest() { return store_ingest(*stores, pool, limits); }

  std::unique_ptr<pack_spool> spool(std::string_view pack) {
    auto s = pack_spool::create(*stores, pool);
    EXPECT_TRUE(s.has_value());
    EXPECT_TRUE((*s)->append(pack).has_value());
    return std::move(*s);
  }
  ingest_result<repo_store_ptr> first_pack(std::string_view pack, oid_list wants) {
    auto i = ingest();
    return test::run(io, i.adopt_first_pack(key, generation, spool(pack), std::move(wants)));
  }
  ingest_result<void> sync(const repo_store_ptr& store, std::string_view pack, oid_list wants) {
    auto i = ingest();
    return test::run(io, sync_in_parts(i, store, pack, std::move(wants)));
  }
  ingest_result<void> verify_present(const repo_store_ptr& store, oid_list tips) {
    auto i = ingest();
    return test::run(io, i.verify_present(store, std::move(tips)));
  }

  /// What the source's refs are now, as a listing of everything.
  ref_table table() const {
    std::vector<protocol::ref_record> refs;
    std::istringstream lines(source.git("for-each-ref --format='%(objectname) %(refname) %(*objectname)'"));
    for (std::string line; std::getline(lines, line);) {
      std::istringstream words(line);
      std::string oid, name, peeled;
      words >> oid >> name >> peeled;
      protocol::ref_record r{name, *object_id::from_hex(oid), {}, {}, false};
      if (!peeled.empty()) r.peeled = *object_id::from_hex(peeled);
      refs.push_back(std::move(r));
    }
    refs.push_back({"HEAD", source.oid("HEAD"), {}, source.git("symbolic-ref HEAD"), false});
    return ref_table(std::move(refs), {{"", boot_point{}}});
  }
  /// git run on the store's folder.
  std::string in_store(const repo_store_ptr& store, const std::string& arguments) const {
    return source.git("--git-dir '" + store->folder().string() + "' -c safe.directory='*' " + arguments);
  }

  std::size_t staged() const { return entries("staging"); }
  std::size_t trashed() const { return entries("trash"); }
  std::size_t entries(const char* folder) const {
    return static_cast<std::size_t>(std::distance(std::filesystem::directory_iterator(root.path() / folder), {}));
  }

  static awaitable<ingest_result<void>> sync_in_parts(store_ingest& i, repo_store_ptr store, std::string_view pack,
                                                      oid_list wants) {
    auto sink = co_await i.begin_sync(std::move(store));
    if (!sink) co_return sink.error();
    constexpr std::size_t part = 1000;
    for (std::size_t at = 0; at < pack.size(); at += part) {
      auto const written = co_await (*sink)->write(pack.substr(at, part));
      if (!written) co_return written;
    }
    co_return co_await (*sink)->commit(std::move(wants));
  }

  git_runtime git2;
  test::temp_dir root;
  test::temp_repo source;
  asio::io_context io;
  std::unique_ptr<store_set> stores;
  blocking_pool pool{2};
  ingest_limits limits;
  const repo_key key{"example", "group/project"};
  const std::string generation = "0123456789abcdef";
};

}  // namespace tankard::cache

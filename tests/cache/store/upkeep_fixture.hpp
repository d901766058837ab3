#pragma once
// A store with a history, its upkeep, and a `git` that stops where a test wants it to.

#include <sys/stat.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>

#include "cache/store/store_upkeep.hpp"
#include "protocol/fetch_response.hpp"
#include "protocol/pkt_line.hpp"
#include "tests/cache/store/store_fixture.hpp"

namespace tankard::cache {

/// A `git` before the real one in PATH: where a command's arguments contain `held`, it says so and waits until let go.
/// With `after`, it waits when the real git has ended.
class held_git {
 public:
  explicit held_git(const std::string& held, bool after = false) : path_(std::getenv("PATH")) {
    auto const folder = dir_.path().string();
    std::ofstream(dir_.path() / "git") << "#!/bin/sh\n"
                                       << "wait() { echo >> " << folder << "/reached; cat " << folder
                                       << "/gate >&2; }\n"
                                       << "case \" $* \" in *' " << held << " '*)\n"
                                       << (after ? "PATH=" + path_ + " git \"$@\"; r=$?; wait; exit $r;;\n"
                                                 : std::string("wait;;\n"))
                                       << "esac\nPATH=" << path_ << " exec git \"$@\"\n";
    ::chmod((dir_.path() / "git").c_str(), 0700);
    if (::mkfifo((dir_.path() / "gate").c_str(), 0600) != 0) throw std::runtime_error("mkfifo");
    ::setenv("PATH", (folder + ":" + path_).c_str(), 1);
  }
  ~held_git() { ::setenv("PATH", path_.c_str(), 1); }
  bool reached() const { return std::filesystem::exists(dir_.path() / "reached"); }
  std::size_t times_reached() const {
    std::ifstream lines(dir_.path() / "reached");
    return static_cast<std::size_t>(std::count(std::istreambuf_iterator<char>(lines), {}, '\n'));
  }
  void let_go() const {
    ::setenv("PATH", path_.c_str(), 1);
    std::ofstream(dir_.path() / "gate") << "";
  }

 private:
  const std::string path_;
  test::temp_dir dir_;
};

class UpkeepFixture : public StoreFixture {
 protected:
  explicit UpkeepFixture(protocol::object_format format = protocol::object_format::sha1) : StoreFixture(format) {
    add_commit(40'000);
    store = *first_pack(source.pack("--all"), {tip});
    publish();
  }

  /// One more commit on main, of about so many bytes in a pack.
  void add_commit(std::size_t size) {
    auto const n = std::to_string(tips.size());
    tip = source.commit("file" + n, source.shell("head -c " + std::to_string(size) + " /dev/urandom"));
    tips.push_back(tip);
  }
  /// The same, and synced into the store as a pack of its own.
  void grow(std::size_t size) {
    auto const before = tip;
    add_commit(size);
    ASSERT_TRUE(sync(store, source.pack("main ^" + before.hex()), {tip}));
    publish();
  }
  /// A commit that a force push has taken away: in the ledger, shown by no ref.
  object_id abandoned(std::size_t size) {
    auto const before = tip;
    grow(size);
    auto const gone = tip;
    source.git("reset -q --hard " + before.hex());
    tips.pop_back();
    tip = before;
    publish();
    return gone;
  }
  void publish() { ASSERT_TRUE(store->publish_refs(table(), all_refs)); }

  std::unique_ptr<store_upkeep> upkeep() { return std::make_unique<store_upkeep>(*stores, pool, upkeep_limits_); }
  upkeep_outcome run(upkeep_kind kind) {
    auto const u = upkeep();
    return test::run(io, u->run(store, kind));
  }
  drop_result drop() {
    auto const u = upkeep();
    return test::run(io, u->drop_replaced(store));
  }
  std::uint64_t dead_bytes() {
    auto const u = upkeep();
    auto const dead = test::run(io, u->dead_bytes(store));
    EXPECT_TRUE(dead) << dead.error();
    return dead ? *dead : 0;
  }

  /// A child that stands still wakes no event loop: it is looked for.
  void wait_for(const held_git& git) {
    auto const guard = asio::make_work_guard(io);
    while (!git.reached()) {
      if (io.stopped()) io.restart();
      io.run_one_for(std::chrono::milliseconds(2));
    }
  }
  std::size_t files(const char* extension) const {
    auto const all = test::files_in(store->folder() / "objects" / "pack");
    return static_cast<std::size_t>(
        std::ranges::count_if(all, [&](const std::string& name) { return name.ends_with(extension); }));
  }
  std::filesystem::path graph() const { return store->folder() / "objects" / "info" / "commit-graph"; }
  /// git finds every object sound, and every tip is servable, by this handle and by a new one.
  void expect_whole(oid_list more = {}) {
    EXPECT_NO_THROW(in_store(store, "fsck --full --strict"));
    oid_list all = tips;
    all.insert(all.end(), more.begin(), more.end());
    EXPECT_TRUE(store->not_servable(all).empty());
    EXPECT_EQ(store->existing(all), all);
    for (auto const& oid : all) EXPECT_NO_THROW(in_store(store, "rev-list --objects --quiet " + oid.hex()));
    stores->start();
    auto const again = stores->find(key, generation);
    ASSERT_NE(again, nullptr);
    EXPECT_TRUE(again->not_servable(all).empty());
  }
  void expect_nothing_staged() const {
    EXPECT_EQ(staged() + trashed(), 0u);
    EXPECT_EQ(subprocess::running(), 0u);
    for (auto const& file : std::filesystem::recursive_directory_iterator(store->folder()))
      EXPECT_FALSE(file.path().string().ends_with(".lock")) << file.path();
  }

  static std::string fetch_of(const object_id& want) {
    std::string out;
    protocol::append_pkt(out, "command=fetch");
    protocol::append_pkt(out, "object-format=" + std::string(to_string(want.format())));
    protocol::append_delim(out);
    for (auto const& argument : {"want " + want.hex(), std::string("ofs-delta"), std::string("done")})
      protocol::append_pkt(out, argument);
    protocol::append_flush(out);
    return out;
  }

  upkeep_limits upkeep_limits_;
  repo_store_ptr store;
  object_id tip;
  oid_list tips;  // of main's history
};

}  // namespace tankard::cache

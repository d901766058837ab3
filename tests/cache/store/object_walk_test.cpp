#include "cache/store/object_walk.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <map>
#include <thread>

namespace tankard::cache {
namespace {

using protocol::object_id;
using oid_list = object_walk::oid_list;

object_id oid(unsigned n) {
  std::array<std::byte, 20> raw{};
  for (std::size_t i = 0; i < 4; ++i) raw[i] = static_cast<std::byte>(n >> (8 * i));
  raw[19] = std::byte{1};
  return *object_id::from_raw(raw);
}

/// Objects in memory, and how often one was read.
class ObjectWalk : public testing::Test {
 protected:
  std::string tree(std::initializer_list<std::pair<const char*, unsigned>> entries) const {
    std::string out;
    for (auto const& [mode_and_name, n] : entries) {
      out += mode_and_name;
      out += '\0';
      auto const named = oid(n);
      out.append(reinterpret_cast<const char*>(named.raw().data()), named.raw().size());
    }
    return out;
  }
  void add_tree(unsigned n, std::initializer_list<std::pair<const char*, unsigned>> entries) {
    objects[oid(n)] = tree(entries);
  }
  void add_commit(unsigned n, unsigned root, std::initializer_list<unsigned> parents, int time) {
    std::string text = "tree " + oid(root).hex() + "\n";
    for (unsigned const p : parents) text += "parent " + oid(p).hex() + "\n";
    text += "author A > U <a@b> 1 +0000\ncommitter C > O <c@d> " + std::to_string(time) + " -0700\n";
    objects[oid(n)] = text + "gpgsig -----\n tree " + oid(999).hex() + "\n\nparent " + oid(998).hex() + "\n";
  }
  object_walk from(std::initializer_list<unsigned> commits, std::size_t most = max_walk_objects) const {
    auto list = std::make_shared<oid_list>();
    for (unsigned const c : commits) list->push_back(oid(c));
    return object_walk(list, most);
  }
  object_walk::reader reader() {
    return [this](const object_id& id) -> git_result<git_repository::content> {
      ++reads;
      auto const it = objects.find(id);
      if (it == objects.end()) return "object " + id.hex() + " is missing";
      return git_repository::content(it->second.data(), it->second.size());
    };
  }
  oid_list beyond(object_walk& walk, std::initializer_list<unsigned> wants) {
    oid_list list;
    for (unsigned const w : wants) list.push_back(oid(w));
    auto const out = walk.beyond(list, reader(), walk_end());
    EXPECT_TRUE(out.has_value()) << out.error();
    return out ? *out : oid_list{};
  }
  /// 1 <- 2 <- 3: each with a tree of its own (10, 20, 30), the folder 50 in all of them.
  void three_commits() {
    add_tree(50, {{"100644 same", 51}});
    for (unsigned n : {1u, 2u, 3u}) {
      add_tree(10 * n, {{"100644 file", 10 * n + 1}, {"40000 folder", 50}, {"120000 link", 10 * n + 2}});
      if (n == 1) {
        add_commit(1, 10, {}, 100);
      } else {
        add_commit(n, 10 * n, {n - 1}, 100 * static_cast<int>(n));
      }
    }
  }
  std::map<object_id, std::string> objects;
  int reads = 0;
};

TEST_F(ObjectWalk, FindsTreesAndBlobsAndTellsTheOthers) {
  three_commits();
  auto walk = from({3});
  EXPECT_EQ(beyond(walk, {31, 30, 50, 51, 32, 11, 1}), oid_list{});
  EXPECT_EQ(beyond(walk, {77, 20, 78}), (oid_list{oid(77), oid(78)}));
  auto older = from({2});
  EXPECT_EQ(beyond(older, {31, 21, 30}), (oid_list{oid(31), oid(30)}));
}

TEST_F(ObjectWalk, ReadsNoMoreThanItMust) {
  three_commits();
  for (unsigned n = 100; n < 1100; ++n) {  // a long history below
    add_tree(2000 + n, {{"100644 file", 4000 + n}});
    if (n == 100) {
      add_commit(n, 2000 + n, {}, 1);
    } else {
      add_commit(n, 2000 + n, {n - 1}, 1);
    }
  }
  add_commit(1, 10, {1099}, 100);
  auto walk = from({3});
  EXPECT_EQ(beyond(walk, {31}), oid_list{});
  auto const first = reads;
  EXPECT_LT(first, 400) << "one turn";
  EXPECT_EQ(beyond(walk, {31, 51, 30}), oid_list{});
  EXPECT_EQ(reads, first) << "what was met is known";
  EXPECT_EQ(beyond(walk, {4100}), oid_list{});
  EXPECT_EQ(beyond(walk, {77}), oid_list{oid(77)});
  EXPECT_EQ(reads, 3 + 4 + 2 * 1000) << "each commit and each tree once";
  EXPECT_EQ(walk.objects(), 3u + 3 * 3 + 2 + 3 * 1000);
}

TEST_F(ObjectWalk, IsSharedByThreads) {
  constexpr unsigned commits = 2000;
  for (unsigned n = 1; n <= commits; ++n) {
    add_tree(10'000 + n, {{"100644 file", 20'000 + n}});
    if (n == 1) {
      add_commit(n, 10'000 + n, {}, 1);
    } else {
      add_commit(n, 10'000 + n, {n - 1}, 1);
    }
  }
  auto walk = from({commits});
  auto const& everything = objects;
  auto const read = [&](const object_id& id) -> git_result<git_repository::content> {
    auto const& bytes = everything.at(id);
    return git_repository::content(bytes.data(), bytes.size());
  };
  std::atomic<unsigned> wrong{0};
  std::vector<std::jthread> threads;
  for (unsigned t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      for (unsigned n = commits - t; n > 300; n -= 300) {
        auto const out = walk.beyond({oid(20'000 + n), oid(50'000)}, read, walk_end());
        if (!out || *out != oid_list{oid(50'000)}) ++wrong;
      }
    });
  }
  threads.clear();
  EXPECT_EQ(wrong, 0u);
}

TEST_F(ObjectWalk, BeginsWithTheNewestCommit) {
  add_tree(10, {{"100644 old", 11}});
  add_tree(20, {{"100644 new", 21}});
  add_commit(1, 10, {}, 100);
  add_commit(2, 20, {}, 200);
  std::vector<object_id> order;
  auto walk = from({2, 1});
  auto const noting = [&](const object_id& id) {
    order.push_back(id);
    return reader()(id);
  };
  EXPECT_TRUE(walk.beyond({oid(11), oid(21)}, noting, walk_end()).has_value());
  ASSERT_EQ(order.size(), 4u);
  EXPECT_EQ(order[2], oid(20));
  EXPECT_EQ(order[3], oid(10));
}

TEST_F(ObjectWalk, FollowsEveryParentAndNoSubmodule) {
  add_tree(10, {{"100644 a", 11}});
  add_tree(20, {{"100755 b", 21}, {"160000 elsewhere", 90}});
  add_tree(30, {{"040000 folder", 10}});
  add_commit(1, 10, {}, 0);
  add_commit(2, 20, {}, 0);
  add_commit(3, 30, {1, 2}, 0);
  auto walk = from({3});
  EXPECT_EQ(beyond(walk, {11, 21, 90, 999, 998}), (oid_list{oid(90), oid(999), oid(998)}))
      << "neither a submodule, nor what a signature or a message names";
}

TEST_F(ObjectWalk, GoesOnWhereAReadFailed) {
  three_commits();
  auto const kept = objects.extract(oid(20));
  auto walk = from({3});
  auto const failed = walk.beyond({oid(11)}, reader(), walk_end());
  ASSERT_FALSE(failed.has_value());
  EXPECT_NE(failed.error().find(oid(20).hex()), std::string::npos);
  objects[kept.key()] = kept.mapped();
  EXPECT_EQ(beyond(walk, {11, 21}), oid_list{});
}

TEST_F(ObjectWalk, SaysWhatIsMalformed) {
  add_commit(1, 10, {}, 0);
  for (std::string const& bad : {std::string("100644 file"), tree({{"100644 file", 1}}).substr(0, 20)}) {
    objects[oid(10)] = bad;
    auto walk = from({1});
    EXPECT_FALSE(walk.beyond({oid(77)}, reader(), walk_end()).has_value());
  }
  objects[oid(1)] = "tree nonsense\n\n";
  auto walk = from({1});
  EXPECT_FALSE(walk.beyond({oid(77)}, reader(), walk_end()).has_value());
}

TEST_F(ObjectWalk, EndsInTimeAndGoesOnTheNextTime) {
  three_commits();
  auto walk = from({3});
  EXPECT_EQ(beyond(walk, {31}), oid_list{});
  auto const before = reads;
  auto other = from({3});
  for (auto* const each : {&walk, &other}) {
    auto const out = each->beyond({oid(31), oid(3), oid(77)}, reader(), walk_end(std::chrono::seconds(0)));
    ASSERT_TRUE(out) << out.error();
    EXPECT_EQ(*out, (each == &walk ? oid_list{oid(77)} : oid_list{oid(31), oid(77)})) << "what was met counts";
  }
  EXPECT_EQ(reads, before);
  EXPECT_EQ(beyond(other, {31, 77}), oid_list{oid(77)});
}

TEST_F(ObjectWalk, EndsWhereTheProcessStops) {
  three_commits();
  auto walk = from({3});
  auto const stopping = [this](const object_id& id) {
    walks_stopped = reads == 1;  // with the second
    return reader()(id);
  };
  EXPECT_EQ(*walk.beyond({oid(31), oid(77)}, stopping, walk_end()), (oid_list{oid(77)}));
  EXPECT_EQ(reads, 2) << "of nine";
  EXPECT_EQ(beyond(walk, {77}), oid_list{oid(77)});
  EXPECT_EQ(reads, 2);
  walks_stopped = false;
  EXPECT_EQ(beyond(walk, {11, 77}), oid_list{oid(77)});
  EXPECT_EQ(reads, 3 + 3 + 1);
}

TEST_F(ObjectWalk, IsBounded) {
  three_commits();
  auto walk = from({3}, 4);
  EXPECT_EQ(beyond(walk, {31, 11}), oid_list{oid(11)}) << "what was met counts, the rest is not known";
  auto const before = reads;
  EXPECT_EQ(beyond(walk, {11}), oid_list{oid(11)});
  EXPECT_EQ(reads, before);
}

TEST(OidMarks, HoldManyAndOnlyThose) {
  oid_marks marks;
  EXPECT_FALSE(marks.contains(oid(1)));
  for (unsigned n = 0; n < 10'000; ++n) EXPECT_TRUE(marks.insert(oid(2 * n)));
  for (unsigned n = 0; n < 10'000; ++n) {
    EXPECT_FALSE(marks.insert(oid(2 * n)));
    EXPECT_FALSE(marks.contains(oid(2 * n + 1)));
  }
  EXPECT_EQ(marks.size(), 10'000u);
}

}  // namespace
}  // namespace tankard::cache

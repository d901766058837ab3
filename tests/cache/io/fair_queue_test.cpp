#include "cache/io/fair_queue.hpp"

#include <gtest/gtest.h>

#include <vector>

namespace tankard::cache {
namespace {

/// Items tell who waits: "key/client/number".
class FairQueue : public testing::Test {
 protected:
  void push(const std::string& key, const std::string& client, const std::string& number = "1") {
    queue.push(key, client, key + "/" + client + "/" + number);
  }
  std::string pop() {
    auto const out = queue.front();
    queue.pop_front();
    return out;
  }
  std::vector<std::string> drain() {
    std::vector<std::string> out;
    while (!queue.empty()) out.push_back(pop());
    return out;
  }
  using order = std::vector<std::string>;
  fair_queue<std::string> queue;
};

TEST_F(FairQueue, OfOneClientIsInOrder) {
  for (auto const* n : {"1", "2", "3"}) push("a", "x", n);
  EXPECT_EQ(drain(), (order{"a/x/1", "a/x/2", "a/x/3"}));
}

TEST_F(FairQueue, KeysHaveTurnsHoweverManyWaitForOne) {
  for (auto const* n : {"1", "2", "3", "4"}) push("herd", n);
  push("a", "x");
  push("b", "y");
  EXPECT_EQ(drain(), (order{"herd/1/1", "a/x/1", "b/y/1", "herd/2/1", "herd/3/1", "herd/4/1"}));
}

TEST_F(FairQueue, ClientsOfAKeyHaveTurnsHoweverMuchOneAsks) {
  for (auto const* n : {"1", "2", "3"}) push("a", "greedy", n);
  push("a", "x");
  push("a", "y");
  EXPECT_EQ(drain(), (order{"a/greedy/1", "a/x/1", "a/y/1", "a/greedy/2", "a/greedy/3"}));
}

TEST_F(FairQueue, WhoIsFirstStaysFirstWhoeverComesAndLeaves) {
  push("a", "x");
  push("b", "y");
  push("a", "z");
  push("c", "x");
  queue.remove("b", "y", "b/y/1");
  EXPECT_EQ(queue.front(), "a/x/1");
  queue.remove("a", "x", "a/x/1");
  EXPECT_EQ(queue.front(), "a/z/1") << "a key's turn is its next client's";
  EXPECT_EQ(drain(), (order{"a/z/1", "c/x/1"}));
}

TEST_F(FairQueue, KnowsHowManyWaitForAKey) {
  push("a", "x");
  push("a", "y");
  push("b", "x");
  EXPECT_EQ(queue.size(), 3u);
  EXPECT_EQ(queue.size_of("a"), 2u);
  queue.remove("a", "x", "a/x/1");
  EXPECT_EQ(queue.size_of("a"), 1u);
  drain();
  EXPECT_EQ(queue.size_of("a"), 0u);
  EXPECT_EQ(queue.size(), 0u);
}

}  // namespace
}  // namespace tankard::cache

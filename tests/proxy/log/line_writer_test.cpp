#include "proxy/log/line_writer.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <thread>
#include <vector>

namespace tankard::proxy::log {
namespace {

class LineWriter : public testing::Test {
 protected:
  LineWriter() { EXPECT_EQ(::pipe2(ends.data(), O_CLOEXEC), 0); }
  ~LineWriter() override {
    ::close(ends[0]);
    close_writing();
  }
  void close_writing() {
    if (ends[1] >= 0) ::close(ends[1]);
    ends[1] = -1;
  }
  /// As much as comes until there are `lines` lines, or the pipe ends.
  std::string read_lines(std::size_t lines) {
    std::string out;
    std::array<char, 4096> part;
    while (static_cast<std::size_t>(std::count(out.begin(), out.end(), '\n')) < lines) {
      auto const n = ::read(ends[0], part.data(), part.size());
      if (n <= 0) break;
      out.append(part.data(), static_cast<std::size_t>(n));
    }
    return out;
  }
  std::array<int, 2> ends{-1, -1};
};

TEST_F(LineWriter, WritesSoonByItself) {
  line_writer writer(ends[1]);
  writer.add("one");
  writer.add("two");
  EXPECT_EQ(read_lines(2), "one\ntwo\n");
  writer.add("three");
  EXPECT_EQ(read_lines(1), "three\n");
}

TEST_F(LineWriter, WritesWhatIsLeftWhenItEnds) {
  {
    line_writer writer(ends[1]);
    writer.add("last");
  }
  close_writing();
  EXPECT_EQ(read_lines(99), "last\n");
}

TEST_F(LineWriter, WritesAtOnceWhenItIsTold) {
  line_writer writer(ends[1]);
  EXPECT_EQ(::fcntl(ends[0], F_SETFL, O_NONBLOCK), 0);
  writer.add("now");
  writer.flush();
  EXPECT_EQ(read_lines(1), "now\n");
}

TEST_F(LineWriter, LosesNoLineAndCutsNone_WhereManyWriteMuchAndTheReaderIsSlow) {
  constexpr int threads = 4, lines = 3000;
  EXPECT_EQ(::fcntl(ends[1], F_SETFL, O_NONBLOCK), 0) << "as a terminal may be that somebody else set so";
  std::string all;
  std::thread reader([&] { all = read_lines(threads * lines); });
  {
    line_writer writer(ends[1]);
    std::vector<std::thread> writers;
    for (int t = 0; t < threads; ++t)
      writers.emplace_back([&writer, t] {
        for (int i = 0; i < lines; ++i) writer.add(std::to_string(t) + " " + std::to_string(i) + std::string(100, '.'));
      });
    for (auto& w : writers) w.join();
  }
  close_writing();
  reader.join();
  std::array<int, threads> next{};
  for (std::size_t at = 0; at < all.size();) {
    auto const end = all.find('\n', at);
    auto const line = all.substr(at, end - at);
    auto const t = static_cast<std::size_t>(line[0] - '0');
    ASSERT_LT(t, std::size_t{threads}) << line;
    ASSERT_EQ(line, std::to_string(t) + " " + std::to_string(next[t]++) + std::string(100, '.'));
    at = end + 1;
  }
  for (int const n : next) EXPECT_EQ(n, lines);
}

}  // namespace
}  // namespace tankard::proxy::log

// The same answer, whichever way the network cuts it.

#include "proxy/upstream/response_reader.hpp"

#include <gtest/gtest.h>

#include <algorithm>

namespace tankard::proxy::upstream {
namespace {

struct fed {
  unsigned status = 0;
  std::string body, leftover, error;
  bool keeps = false;
};

/// Feeds `bytes` in pieces that end at each of `cuts`, reading the body through a buffer of `room` bytes.
fed feed(std::string_view bytes, std::size_t piece, std::size_t first, std::size_t room) {
  boost::beast::flat_buffer buffer(1 << 20);
  response_reader reader(buffer, 64 << 10, false);
  fed out;
  bool head = false;
  std::vector<char> into(room);
  for (std::size_t at = 0; at < bytes.size();) {
    auto const n = std::min(at == 0 && first > 0 ? first : piece, bytes.size() - at);
    buffer.commit(asio::buffer_copy(buffer.prepare(n), asio::buffer(bytes.data() + at, n)));
    at += n;
    if (!head) {
      auto const complete = reader.parse_head();
      if (!complete) return fed{0, "", "", complete.error().cause, false};
      if (!(head = *complete)) continue;
      out.status = reader.head().status;
    }
    for (;;) {
      auto const part = reader.parse_body(asio::buffer(into));
      if (!part) return fed{out.status, out.body, "", part.error().cause, false};
      if (part->bytes == 0) break;
      out.body.append(into.data(), part->bytes);
    }
  }
  if (!head || !reader.done()) out.error = "unfinished";
  out.keeps = reader.done() && reader.keeps_connection();
  out.leftover.assign(static_cast<const char*>(buffer.data().data()), buffer.size());
  return out;
}

constexpr std::string_view chunked =
    "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\n"
    "A\r\n0123456789\r\n1;name=value\r\na\r\n00003\r\nbcd\r\n0\r\nTrailer: x\r\n\r\n";

TEST(ResponseReader, ChunkedIsTheSameHoweverItIsCut) {
  for (std::size_t cut = 1; cut < chunked.size(); ++cut) {
    for (std::size_t const room : {1, 3, 4096}) {
      auto const got = feed(chunked, chunked.size(), cut, room);
      EXPECT_EQ(got.error, "") << cut;
      EXPECT_EQ(got.body, "0123456789abcd") << cut;
      EXPECT_TRUE(got.keeps) << cut;
    }
  }
  EXPECT_EQ(feed(chunked, 1, 0, 4096).body, "0123456789abcd");
  EXPECT_EQ(feed(chunked, 1, 0, 1).error, "");
}

TEST(ResponseReader, LeavesWhatIsBeyondTheAnswer) {
  auto const got = feed("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhiHTTP/1.1", 4096, 0, 4096);
  EXPECT_EQ(got.body, "hi");
  EXPECT_EQ(got.leftover, "HTTP/1.1");
  EXPECT_FALSE(got.keeps);
}

TEST(ResponseReader, BrokenChunksAreAnErrorHoweverTheyAreCut) {
  for (std::string_view const tail : {"5\r\nhelloX\r\n0\r\n\r\n", "zz\r\n", "-1\r\n", "ffffffffffffffffff\r\n"}) {
    auto const bytes = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + std::string(tail);
    for (std::size_t cut = 1; cut < bytes.size(); ++cut) {
      EXPECT_EQ(feed(bytes, bytes.size(), cut, 4096).error, "malformed chunk") << tail << " at " << cut;
    }
  }
}

}  // namespace
}  // namespace tankard::proxy::upstream

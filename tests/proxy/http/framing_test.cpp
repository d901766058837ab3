#include "proxy/http/framing.hpp"

#include <gtest/gtest.h>

namespace tankard::proxy::http {
namespace {

TEST(Framing, OnlyOneWayToDelimitABodyIsTaken) {
  fields none;
  EXPECT_EQ(framing_fault(none, 11), "");
  fields length;
  length.insert("Content-Length", "1");
  EXPECT_EQ(framing_fault(length, 10), "");
  fields chunked;
  chunked.insert("Transfer-Encoding", "Chunked");
  EXPECT_EQ(framing_fault(chunked, 11), "");
  EXPECT_NE(framing_fault(chunked, 10), "");
  chunked.insert("Content-Length", "1");
  EXPECT_NE(framing_fault(chunked, 11), "");
  length.insert("Content-Length", "1");
  EXPECT_NE(framing_fault(length, 11), "");
  for (const char* value : {"gzip", "gzip, chunked", "chunked, chunked", "identity", "xchunked", ""}) {
    fields other;
    other.insert("Transfer-Encoding", value);
    EXPECT_NE(framing_fault(other, 11), "") << value;
  }
}

TEST(Framing, HeadsAreWrittenLineByLine) {
  fields headers;
  headers.set("Date", "then");
  headers.set("X-A", "b");
  answer_framing framing;
  framing.length = 5;
  EXPECT_EQ(answer_head(200, "", headers, framing),
            "HTTP/1.1 200 OK\r\nDate: then\r\nX-A: b\r\nContent-Length: 5\r\nConnection: close\r\n\r\n");
  framing.length.reset();
  framing.end = body_end::chunks;
  framing.keep_alive = true;
  EXPECT_EQ(answer_head(299, "Odd\r\nphrase", headers, framing),
            "HTTP/1.1 299 Odd  phrase\r\nDate: then\r\nX-A: b\r\nTransfer-Encoding: chunked\r\n\r\n");
  framing.says_keep_alive = true;
  EXPECT_NE(answer_head(200, "", headers, framing).find("Connection: keep-alive\r\n"), std::string::npos);
}

TEST(Framing, ReadyLinesAreSentAsTheyAre) {
  answer_framing framing;
  framing.length = 1234567890123;
  auto const head = answer_head(200, "X-A: b\r\nX-C: d\r\n", framing);
  EXPECT_TRUE(head.starts_with("HTTP/1.1 200 OK\r\nX-A: b\r\nX-C: d\r\nDate: ")) << head;
  EXPECT_TRUE(head.ends_with(" GMT\r\nContent-Length: 1234567890123\r\nConnection: close\r\n\r\n")) << head;
}

TEST(Framing, ADateIsAddedWhereNoneIs) {
  const std::string head = answer_head(200, "", {}, {});
  EXPECT_NE(head.find("\r\nDate: "), std::string::npos);
  EXPECT_NE(head.find(" GMT\r\n"), std::string::npos);
}

TEST(Framing, SomeStatusesNeverHaveABody) {
  for (const unsigned status : {100u, 101u, 199u, 204u, 304u}) EXPECT_TRUE(is_bodiless(status)) << status;
  for (const unsigned status : {200u, 206u, 205u, 302u, 404u, 500u}) EXPECT_FALSE(is_bodiless(status)) << status;
}

}  // namespace
}  // namespace tankard::proxy::http

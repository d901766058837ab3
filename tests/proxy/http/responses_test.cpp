#include "proxy/http/responses.hpp"

#include "server_fixture.hpp"

namespace tankard::test {
namespace {

class Responses : public ServerFixture {};

TEST_F(Responses, ASentenceIsPlainTextThatGitShows) {
  auto handler = [](http::exchange& x) -> awaitable<void> {
    http::fields headers;
    headers.set("Retry-After", "7");
    co_await http::respond_text(x, 503, "come back later", std::move(headers));
  };
  serve(handler);
  raw_client client(port);
  client.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
  const auto answer = client.read_answer();
  EXPECT_EQ(answer.status, 503u);
  EXPECT_EQ(answer.body, "come back later\n");
  EXPECT_EQ(answer.header("content-type"), "text/plain; charset=utf-8");
  EXPECT_EQ(answer.header("cache-control"), "no-cache, max-age=0, must-revalidate");
  EXPECT_EQ(answer.header("retry-after"), "7");
}

TEST_F(Responses, AGitErrorIsASuccessOfHttp) {
  auto handler = [](http::exchange& x) -> awaitable<void> {
    co_await http::respond_git_error(x, http::upload_pack_result_type, "000cERR nope");
  };
  serve(handler);
  raw_client client(port);
  client.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
  const auto answer = client.read_answer();
  EXPECT_EQ(answer.status, 200u);
  EXPECT_EQ(answer.body, "000cERR nope");
  EXPECT_EQ(answer.header("content-type"), "application/x-git-upload-pack-result");
}

}  // namespace
}  // namespace tankard::test

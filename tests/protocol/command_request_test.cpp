#include "protocol/command_request.hpp"

#include <gtest/gtest.h>

#include "tests/support/pkt.hpp"

namespace tankard::protocol {
namespace {

using namespace std::string_literals;
using test::bare_pkt;
using test::pkt;

TEST(CommandRequest, CommandCapabilitiesAndArgsAreReadWithTheirLfOrWithout) {
  auto const with_lf =
      pkt("command=fetch", "agent=git/2.39.5", "object-format=sha1", "0001", "thin-pack", "done", "0000");
  auto const without =
      bare_pkt("command=fetch", "agent=git/2.39.5", "object-format=sha1", "0001", "thin-pack", "done", "0000");
  for (auto const& body : {with_lf, without}) {
    auto const request = parse_command_request(body);
    ASSERT_TRUE(request.has_value()) << request.error().message();
    EXPECT_EQ(request->command, "fetch");
    EXPECT_EQ(request->capabilities.value("agent"), "git/2.39.5");
    EXPECT_EQ(request->args, (std::vector<std::string_view>{"thin-pack", "done"}));
  }
}

TEST(CommandRequest, OnlyOneLfIsTakenFromAnArgument) {
  auto const body = pkt("command=ls-refs", "0001", "ref-prefix a\n", "0000");
  EXPECT_EQ(parse_command_request(body)->args.front(), "ref-prefix a\n");
}

TEST(CommandRequest, DelimAndArgsMayBeMissing) {
  EXPECT_TRUE(parse_command_request(pkt("command=ls-refs", "0000")).has_value());
  EXPECT_TRUE(parse_command_request(pkt("command=ls-refs", "0001", "0000")).has_value());
  EXPECT_TRUE(parse_command_request(pkt("command=ls-refs", "agent=x", "0000"))->args.empty());
}

TEST(CommandRequest, EmptyPktIsAnEmptyArgument) {
  auto const body = pkt("command=ls-refs", "0001") + "0004" + "0000";
  EXPECT_EQ(parse_command_request(body)->args, std::vector<std::string_view>{""});
}

struct bad_request {
  std::string body;
  errc error;
};

class CommandRequest_IsRefused : public testing::TestWithParam<bad_request> {};
TEST_P(CommandRequest_IsRefused, WithItsError) {
  EXPECT_EQ(parse_command_request(GetParam().body).error(), GetParam().error);
}
INSTANTIATE_TEST_SUITE_P(
    Table, CommandRequest_IsRefused,
    testing::Values(bad_request{"", errc::bad_command}, bad_request{"0000", errc::bad_command},  // git's probe
                    bad_request{"0001", errc::bad_command}, bad_request{"0004", errc::bad_command},
                    bad_request{pkt("agent=x", "command=fetch", "0000"), errc::bad_command},
                    bad_request{pkt("command=", "0000"), errc::bad_command},
                    bad_request{pkt("command=fe tch", "0000"), errc::bad_command},
                    bad_request{pkt("command=../x", "0000"), errc::bad_command},
                    bad_request{pkt("command=fetch\0x"s, "0000"), errc::bad_command},
                    bad_request{pkt("Command=fetch", "0000"), errc::bad_command},
                    bad_request{pkt("command=fetch", "command=ls-refs", "0000"), errc::bad_command},
                    bad_request{pkt("command=fetch"), errc::truncated},
                    bad_request{pkt("command=fetch", "0001"), errc::truncated},
                    bad_request{pkt("command=fetch", "0001", "done"), errc::truncated},
                    bad_request{pkt("command=fetch", "0001") + "0009don", errc::truncated},
                    bad_request{pkt("command=fetch", "0001") + "00", errc::truncated},
                    bad_request{pkt("command=fetch", "0001", "0001", "0000"), errc::unexpected_packet},
                    bad_request{pkt("command=fetch", "0002", "0000"), errc::unexpected_packet},
                    bad_request{pkt("command=fetch", "0001", "0002", "0000"), errc::unexpected_packet},
                    bad_request{pkt("command=fetch", "0001", "0000", "0000"), errc::trailing_data},
                    bad_request{pkt("command=fetch", "0000") + "x", errc::trailing_data},
                    bad_request{pkt("command=fetch", "want abc", "0000"), errc::bad_capability},
                    bad_request{pkt("command=fetch") + "0004" + "0000", errc::bad_capability},
                    bad_request{pkt("command=fetch") + "0003", errc::bad_pkt_length},
                    bad_request{pkt("command=fetch", "0001") + "fff1", errc::pkt_too_long},
                    bad_request{"\x1f\x8b\x08\x00"s, errc::bad_pkt_length},  // gzip that was not inflated
                    bad_request{"<!DOCTYPE html>", errc::bad_pkt_length}));

TEST(CommandRequest, EveryProperPrefixIsTruncatedOrNoCommand) {
  auto const body = pkt("command=fetch", "agent=x", "0001", "done", "0000");
  for (std::size_t cut = 0; cut < body.size(); ++cut) {
    auto const request = parse_command_request(std::string_view{body}.substr(0, cut));
    EXPECT_EQ(request.error(), cut == 0 ? errc::bad_command : errc::truncated) << cut;
  }
}

TEST(CommandRequest, NumberOfArgsAndOfCapabilitiesIsBounded) {
  auto const body = pkt("command=fetch", "0001", "a", "b", "c", "0000");
  EXPECT_TRUE(parse_command_request(body, {.max_args = 3}).has_value());
  EXPECT_EQ(parse_command_request(body, {.max_args = 2}).error(), errc::too_many);

  auto many = pkt("command=fetch");
  for (std::size_t i = 0; i <= capability_list::max_entries; ++i) many += pkt("x");
  EXPECT_EQ(parse_command_request(many + "0000").error(), errc::too_many);
}

capability_list caps_of(std::initializer_list<std::string_view> texts) {
  capability_list caps;
  for (auto const text : texts) EXPECT_TRUE(caps.add(text).has_value());
  return caps;
}

TEST(ServerOptions, AreSortedAndKeptTwice) {
  EXPECT_EQ(server_options(caps_of({"server-option=b", "agent=a", "server-option=a", "server-option=a"})),
            (std::vector<std::string>{"a", "a", "b"}));
}

TEST(RequestedFormat, IsSha1UnlessSaid) {
  EXPECT_EQ(requested_format(caps_of({})).value(), object_format::sha1);
  EXPECT_EQ(requested_format(caps_of({"object-format=sha256"})).value(), object_format::sha256);
  EXPECT_EQ(requested_format(caps_of({"object-format=md5"})).error(), errc::bad_argument);
  EXPECT_EQ(requested_format(caps_of({"object-format"})).error(), errc::bad_argument);
  EXPECT_EQ(requested_format(caps_of({"object-format=sha1", "object-format=sha256"})).error(), errc::bad_argument);
}

TEST(UnknownCapabilities, AreThoseThatMayChangeTheAnswer) {
  EXPECT_EQ(unknown_capabilities(caps_of(
                {"agent=x", "session-id=1", "object-format=sha1", "server-option=o", "promisor-remote=p", "new"})),
            (std::vector<std::string>{"promisor-remote=p", "new"}));
}

}  // namespace
}  // namespace tankard::protocol

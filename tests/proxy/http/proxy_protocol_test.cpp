#include "proxy/http/proxy_protocol.hpp"

#include <gtest/gtest.h>

namespace tankard::proxy::http {
namespace {

using status = proxy_header::status;
using std::string_literals::operator""s;

const std::string signature = "\r\n\r\n\0\r\nQUIT\n"s;

/// A header of version 2.
std::string v2(char version_and_command, char family, const std::string& block) {
  std::string out = signature + version_and_command + family;
  out += static_cast<char>(block.size() >> 8);
  out += static_cast<char>(block.size() & 255);
  return out + block;
}

const std::string v4_block = "\xC0\x00\x02\x07\x0A\x00\x00\x01\x12\x34\x00\x50"s;  // 192.0.2.7 -> 10.0.0.1
const std::string v6_block =
    "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x01"s + std::string(16, '\0') + "\x12\x34\x00\x50"s;
const std::string mapped_block = std::string(10, '\0') + "\xff\xff\xC0\x00\x02\x07"s + std::string(20, '\0');

struct row {
  std::string header;
  std::string source;
};

std::vector<row> whole_headers() {
  return {{"PROXY TCP4 192.0.2.7 10.0.0.1 56324 443\r\n", "192.0.2.7"},
          {"PROXY TCP4 255.255.255.255 255.255.255.255 65535 65535\r\n", "255.255.255.255"},
          {"PROXY TCP6 2001:db8::1 ::1 0 1\r\n", "2001:db8::1"},
          {"PROXY TCP6 ::ffff:192.0.2.7 ::1 1 1\r\n", "192.0.2.7"},
          {"PROXY UNKNOWN\r\n", ""},
          {"PROXY UNKNOWN ffff:f...f:ffff ffff 65535 65535\r\n", ""},
          {v2('\x21', '\x11', v4_block), "192.0.2.7"},
          {v2('\x21', '\x12', v4_block), "192.0.2.7"},
          {v2('\x21', '\x11', v4_block + "\x03\x00\x04\x01\x02\x03\x04"s), "192.0.2.7"},
          {v2('\x21', '\x11', v4_block + std::string(4096 - 16 - 12, '\x04')), "192.0.2.7"},
          {v2('\x21', '\x21', v6_block), "2001:db8::1"},
          {v2('\x21', '\x21', mapped_block), "192.0.2.7"},
          {v2('\x21', '\x31', std::string(216, 'x')), ""},
          {v2('\x21', '\x00', ""), ""},
          {v2('\x21', '\x00', "TLV"), ""},
          {v2('\x20', '\x00', ""), ""},
          {v2('\x20', '\x11', v4_block), ""}};
}

TEST(ProxyProtocol, ReadsWholeHeadersAndLeavesWhatFollows) {
  for (auto const& r : whole_headers()) {
    for (auto const* rest : {"", "GET / HTTP/1.1\r\n", "\r\n"}) {
      auto const got = parse_proxy_header(r.header + rest);
      EXPECT_EQ(got.end, status::whole) << r.header;
      EXPECT_EQ(got.size, r.header.size()) << r.header;
      EXPECT_EQ(got.source, r.source) << r.header;
    }
  }
}

TEST(ProxyProtocol, AHeaderMayBeSplitAtEveryByte) {
  for (auto const& r : whole_headers()) {
    for (std::size_t at = 0; at < r.header.size(); ++at)
      EXPECT_EQ(parse_proxy_header(r.header.substr(0, at)).end, status::incomplete) << r.header << " at " << at;
  }
}

TEST(ProxyProtocol, RefusesWhatIsNone) {
  std::vector<std::string> const bad{
      "GET / HTTP/1.1\r\n",
      "\x16\x03\x01",
      "proxy TCP4 1.2.3.4 1.2.3.4 1 1\r\n",
      "PROXYTCP4",
      "PROXY \r\n",
      "PROXY\r\n",
      "PROXY TCP4\r\n",
      "PROXY TCP5 1.2.3.4 1.2.3.4 1 1\r\n",
      "PROXY TCP4 1.2.3.4 1.2.3.4 1 1\n",
      "PROXY TCP4 1.2.3.4 1.2.3.4 1\r\n",
      "PROXY TCP4 1.2.3.4 1.2.3.4 1 1 1\r\n",
      "PROXY TCP4 1.2.3.4 1.2.3.4 1 65536\r\n",
      "PROXY TCP4 1.2.3.4 1.2.3.4 01 1\r\n",
      "PROXY TCP4 1.2.3.4 1.2.3.4 -1 1\r\n",
      "PROXY TCP4 1.2.3.4 1.2.3.4 1 1 \r\n",
      "PROXY TCP4  1.2.3.4 1.2.3.4 1 1\r\n",
      "PROXY TCP4 1.2.3 1.2.3.4 1 1\r\n",
      "PROXY TCP4 ::1 ::1 1 1\r\n",
      "PROXY TCP6 1.2.3.4 1.2.3.4 1 1\r\n",
      "PROXY TCP6 fe80::1%eth0 ::1 1 1\r\n",
      "PROXY UNKNOWN " + std::string(100, 'x') + "\r\n",
      "PROXY UNKNOWN " + std::string(200, 'x'),
      v2('\x11', '\x11', v4_block),
      v2('\x31', '\x11', v4_block),
      v2('\x22', '\x11', v4_block),
      v2('\x21', '\x13', v4_block),
      v2('\x21', '\x41', v6_block),
      v2('\x21', '\x11', v4_block.substr(1)),
      v2('\x21', '\x21', v6_block.substr(1)),
      v2('\x21', '\x31', std::string(215, 'x')),
      signature + "\x21\x11\xff\xff",
      signature + "\x21\x11\x0f\xf1"s,
      "\r\n\r\nx",
  };
  for (auto const& text : bad) EXPECT_EQ(parse_proxy_header(text).end, status::malformed) << text;
}

}  // namespace
}  // namespace tankard::proxy::http

#pragma once
// The framing of every v2 request (gitprotocol-v2 "Command Request"):
//   command=<name> *capability [delim-pkt *argument] flush-pkt

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "protocol/capabilities.hpp"
#include "protocol/errc.hpp"
#include "protocol/object_id.hpp"

namespace tankard::protocol {

struct command_request {
  std::string_view command{};            ///< "ls-refs", "fetch", ...
  capability_list capabilities{};        ///< agent, object-format, session-id, server-option, ...
  std::vector<std::string_view> args{};  ///< each without its trailing LF; views into the body
};

struct command_limits {
  std::size_t max_args = 2'000'000;  ///< a mirror clone of a big host may send a million wants
};

/// Parses a whole, inflated body. An empty body or a lone flush-pkt (git's probe) is bad_command.
/// Errors: those of pkt-line, plus bad_command, bad_capability, unexpected_packet, too_many, truncated, trailing_data.
/// `body` must outlive the result.
result<command_request> parse_command_request(std::string_view body, command_limits limits = {});

/// What stands before the delim-pkt in a request of tankard's own.
struct command_head {
  std::string_view command{};
  std::string_view agent{};  ///< without spaces; empty = not said
  object_format format = object_format::sha1;
  std::span<const std::string> server_options{};
};
/// Appends those lines. `object-format` is said for SHA-256 only: hosts older than git 2.28 refuse the capability, and
/// SHA-1 is what its absence means.
void append_command(std::string& out, const command_head& head);

/// The `server-option=` capabilities, sorted.
std::vector<std::string> server_options(const capability_list& caps);
/// The `object-format=` capability; sha1 where it is not said. Error: bad_argument for another or a second format.
result<object_format> requested_format(const capability_list& caps);
/// Capabilities of a request that tankard does not know the meaning of: whoever uses them must be answered by upstream.
std::vector<std::string> unknown_capabilities(const capability_list& caps);

}  // namespace tankard::protocol

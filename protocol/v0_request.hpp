#pragma once
// POST git-upload-pack in protocol v0 and v1 (gitprotocol-pack "Packfile Negotiation", gitprotocol-http
// "Smart Service git-upload-pack"); a stateless-rpc request and its answer are the same in both.
//   *(want [SP capabilities] | shallow | deepen* | filter) flush-pkt *have (flush-pkt | done | nothing)

#include <cstdint>
#include <string>
#include <string_view>

#include "protocol/fetch_request.hpp"

namespace tankard::protocol {

/// What the client chose of the capabilities that shape the answer around the pack.
struct v0_framing {
  enum class band : std::uint8_t {
    none,     ///< the pack as it is, to the end of the message; no progress, no band for notes
    side,     ///< side-band: pkt-lines of at most 1000 bytes
    side_64k  ///< side-band-64k
  };
  enum class ack : std::uint8_t { single, multi, multi_detailed };
  band bands = band::none;
  ack acks = ack::single;
  bool no_done = false;  ///< the pack may follow `ACK ready` at once; means something with multi_ack_detailed only

  friend bool operator==(const v0_framing&, const v0_framing&) = default;
};

/// Where the client stopped, and so what it waits for.
enum class v0_stop : std::uint8_t {
  needs,  ///< behind its wants: for the shallow lines it asked for, nothing else
  round,  ///< behind some haves: for the acknowledgments, with `no-done` maybe the pack
  done,   ///< for the pack
};

struct v0_request {
  fetch_request fetch{};
  v0_framing framing{};
  v0_stop stop = v0_stop::done;
  bool shallow_info = false;  ///< some `deepen` line was sent: the answer begins with shallow lines and a flush-pkt

  /// "v0 side-band-64k multi_ack_detailed no-done": equal exactly where the answers to equal fetch requests are framed
  /// equally (DESIGN 5, "Canonical request"). v1 is no different here.
  std::string framing_text() const;
};

/// Parses a whole, inflated body as upload-pack reads it: capabilities on any want line, needs in any order. One
/// flush-pkt may follow `done`. Unknown capabilities, `deepen-relative` and `deepen-not` go to `bypass_args`. A body
/// without a want (git's probe) is good, and wants nothing.
/// Errors, where git would die too or read on: those of pkt-line, plus bad_oid, bad_argument (a line that upload-pack
/// does not know, a filter without its capability, what excludes each other), bad_capability, too_many,
/// unexpected_packet, truncated, trailing_data. What git reads nevertheless (a number with a sign) is upstream's to
/// answer.
result<v0_request> parse_v0_request(std::string_view body);

/// The request as a body. `agent` without spaces.
std::string write_v0_request(const v0_request& request, std::string_view agent);
/// tankard's own question, for an upstream that speaks no v2: `done`, side-band-64k, and thin where there are haves.
v0_request own_v0_fetch(const own_fetch& fetch);

}  // namespace tankard::protocol

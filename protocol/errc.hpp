#pragma once
// What can be wrong with bytes that claim to be git's wire protocol.
// Parsers return these as values; nothing in protocol/ throws across its border. Thread-safe.

#include <boost/system/error_code.hpp>
#include <boost/system/result.hpp>

namespace tankard::protocol {

enum class errc {
  /// The four hex digits of a pkt-line length are not hex, or name a length that no pkt-line has.
  bad_pkt_length = 1,
  /// A pkt-line longer than 65520 bytes (gitprotocol-common, "pkt-line Format").
  pkt_too_long,
  /// The message ends in the middle of a pkt-line or before its flush-pkt.
  truncated,
  /// A special packet (flush, delim, response-end) or a data packet where the grammar has none.
  unexpected_packet,
  /// Bytes after the packet that ends the message.
  trailing_data,
  /// An object name that is not 40 (SHA-1) or 64 (SHA-256) lower-case hex digits, or of the wrong one of the two.
  bad_oid,
  /// A capability line that is empty or has control characters.
  bad_capability,
  /// The first line of a v2 request is not `command=<name>`.
  bad_command,
  /// An argument that the command knows, in a form it cannot have.
  bad_argument,
  /// More lines, capabilities, wants, haves or bytes than the limit of that list.
  too_many,
  /// A line of a listing or of an advertisement that does not parse.
  bad_ref_line,
  /// A section of a fetch response that is not known.
  unknown_section,
  /// A sideband packet without a band byte, or of a band other than 1, 2, 3.
  bad_band,
  /// The peer says ERR: a line `ERR <text>` in place of an answer (gitprotocol-pack, error-line). Not a broken message
  /// but what the peer means to say.
  remote_error,
};

const boost::system::error_category& error_category() noexcept;

inline boost::system::error_code make_error_code(errc e) noexcept { return {static_cast<int>(e), error_category()}; }

template <class T>
using result = boost::system::result<T>;

}  // namespace tankard::protocol

template <>
struct boost::system::is_error_code_enum<tankard::protocol::errc> : std::true_type {};

#pragma once
// Unix sockets to listen at (unix(7)). Blocking; for start-up.

#include <sys/types.h>

#include <boost/system/result.hpp>
#include <string>
#include <utility>

#include "proxy/net/file_descriptor.hpp"
#include "proxy/net/socket_file.hpp"

namespace tankard::proxy::net {

inline constexpr std::size_t longest_socket_path = 107;  // sun_path with its end

/// Listens at `path`, with `mode` on the file. What is there already:
///   a socket that nobody listens at   left by a process that died: replaced
///   a socket that somebody listens at an error
///   anything else                     an error; never removed
/// Of several processes that try at once one gets it. The error is the cause in words.
boost::system::result<std::pair<file_descriptor, socket_file>, std::string> listen_locally(const std::string& path,
                                                                                           mode_t mode);

}  // namespace tankard::proxy::net

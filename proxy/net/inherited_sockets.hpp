#pragma once
// Sockets that whoever started us had opened (socket activation, sd_listen_fds(3)): LISTEN_PID, LISTEN_FDS and
// LISTEN_FDNAMES say which. The variables are removed and the descriptors closed on exec, so that no child takes them
// for its own. What nobody takes is closed with this. Not thread-safe.

#include <sys/types.h>
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "proxy/net/file_descriptor.hpp"

namespace tankard::proxy::net {

class inherited_sockets {
 public:
  static constexpr std::size_t most = 256;

  inherited_sockets() = default;  ///< none
  /// REQUIRES: called once, before there are threads (it changes the environment).
  static inherited_sockets from_environment();

  void reserve(std::string name) { reserved_.push_back(std::move(name)); }  ///< for a take() by that name
  /// Those called `name`; an empty name takes all that are neither taken nor reserved. Empty where there are none.
  std::vector<file_descriptor> take(std::string_view name);
  std::vector<std::string> left() const;  ///< names of those that nobody took

 private:
  struct entry {
    std::string name;
    file_descriptor fd;
  };
  std::vector<entry> entries_;
  std::vector<std::string> reserved_;
};

/// The names of the descriptors from 3 on that are meant for the process `self`; empty where none are. Descriptors
/// without a name are called "unknown". Pure; arguments may be null, as getenv() gives them.
std::vector<std::string> names_of_inherited(const char* listen_pid, const char* listen_fds, const char* listen_fdnames,
                                            pid_t self);

}  // namespace tankard::proxy::net

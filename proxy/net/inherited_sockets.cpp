#include "proxy/net/inherited_sockets.hpp"

#include <fcntl.h>

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <iterator>
#include <optional>

namespace tankard::proxy::net {
namespace {

constexpr int first_descriptor = 3;  // SD_LISTEN_FDS_START

std::optional<long> number(const char* text) {
  if (text == nullptr) return std::nullopt;
  std::string_view const all{text};
  long n = 0;
  auto const [end, ec] = std::from_chars(all.data(), all.data() + all.size(), n);
  return ec == std::errc{} && end == all.data() + all.size() ? std::optional{n} : std::nullopt;
}

}  // namespace

std::vector<std::string> names_of_inherited(const char* listen_pid, const char* listen_fds, const char* listen_fdnames,
                                            pid_t self) {
  auto const pid = number(listen_pid);
  auto const count = number(listen_fds);
  if (!pid || *pid != self || !count || *count <= 0) return {};
  std::vector<std::string> names;
  std::string_view rest = listen_fdnames == nullptr ? "" : listen_fdnames;
  auto const wanted = std::min(static_cast<std::size_t>(*count), inherited_sockets::most);
  while (names.size() < wanted) {
    auto const name = rest.substr(0, rest.find(':'));
    rest.remove_prefix(std::min(rest.size(), name.size() + 1));
    names.emplace_back(name.empty() ? "unknown" : name);
  }
  return names;
}

inherited_sockets inherited_sockets::from_environment() {
  auto const names = names_of_inherited(std::getenv("LISTEN_PID"), std::getenv("LISTEN_FDS"),
                                        std::getenv("LISTEN_FDNAMES"), ::getpid());
  for (auto const* variable : {"LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"}) ::unsetenv(variable);
  inherited_sockets out;
  for (std::size_t i = 0; i < names.size(); ++i) {
    int const fd = first_descriptor + static_cast<int>(i);
    if (::fcntl(fd, F_SETFD, FD_CLOEXEC) != 0) break;  // fewer are open than was said
    out.entries_.push_back({names[i], file_descriptor(fd)});
  }
  return out;
}

std::vector<file_descriptor> inherited_sockets::take(std::string_view name) {
  std::vector<file_descriptor> taken;
  std::vector<entry> kept;
  auto const wanted = [&](const std::string& n) {
    return name.empty() ? std::ranges::count(reserved_, n) == 0 : n == name;
  };
  for (auto& e : entries_) {
    if (wanted(e.name)) {
      taken.push_back(std::move(e.fd));
    } else {
      kept.push_back(std::move(e));
    }
  }
  entries_ = std::move(kept);
  return taken;
}

std::vector<std::string> inherited_sockets::left() const {
  std::vector<std::string> names;
  for (auto const& e : entries_) names.push_back(e.name);
  return names;
}

}  // namespace tankard::proxy::net

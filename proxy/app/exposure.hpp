#pragma once
// Whether the plain public listener lets credentials be read on their way. Pure. Thread-safe.

#include <optional>
#include <string>
#include <string_view>

#include "proxy/config/config.hpp"

namespace tankard::proxy::app {

/// What to warn of where clients of other machines send their credentials to `address` in plain, and what to do about
/// it. Nothing on loopback and on a Unix socket ("unix:..."), nothing where no upstream is shown credentials, and
/// nothing with trusted proxies: clients speak TLS to them.
std::optional<std::string> credential_exposure(std::string_view address, const config::config& c);

}  // namespace tankard::proxy::app

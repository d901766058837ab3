#pragma once
// From an upstream's configuration to its gate.

#include <boost/system/result.hpp>
#include <cstddef>
#include <memory>
#include <string>

#include "cache/access/secret_key.hpp"
#include "cache/io/blocking_pool.hpp"
#include "cache/io/clock.hpp"
#include "metrics/metrics.hpp"
#include "proxy/auth/gate.hpp"
#include "proxy/config/config.hpp"
#include "proxy/log/logger.hpp"
#include "proxy/net/task_group.hpp"

namespace tankard::proxy::auth {

/// What gates need. All of it outlives the gate and everything that runs in `background`.
struct gate_parts {
  const cache::secret_key& key;  ///< digests credentials
  const cache::clock& clock;
  cache::blocking_pool& pool;   ///< where files are read
  net::task_group& background;  ///< credential commands run here, on the event loop of the request that needs one
  metrics::metrics& meters;
  const log::logger& logs;
};

/// The gate of `u`, whose place in the configuration (and metric label) is `index`. Blocking, for start: reads the
/// files that its rules name. The error is a sentence that names the file; it holds nothing secret. `u` outlives the
/// gate.
boost::system::result<std::unique_ptr<gate>, std::string> make_gate(const config::upstream& u, std::size_t index,
                                                                    const gate_parts& with);

}  // namespace tankard::proxy::auth

#pragma once
// Metrics whose values other objects own: read when a scrape comes, from `gauges`. One table of names, helps and
// fields. set() is called by one thread at a time.

#include <prometheus/counter.h>
#include <prometheus/family.h>
#include <prometheus/gauge.h>
#include <prometheus/registry.h>

#include <cstdint>
#include <vector>

#include "metrics/metrics.hpp"

namespace tankard::metrics {

class scraped {
 public:
  scraped(prometheus::Registry& registry, const label_words& words);
  void set(const gauges& now);

 private:
  struct of_upstream {
    std::vector<prometheus::Gauge*> values;
    std::vector<prometheus::Counter*> totals;
    std::vector<prometheus::Gauge*> states;
  };
  void set_tls(const gauges& now);

  std::vector<prometheus::Gauge*> values_;
  std::vector<prometheus::Counter*> totals_;
  std::vector<of_upstream> upstreams_;
  prometheus::Counter* tls_reloaded_;
  prometheus::Counter* tls_reload_failed_;
  prometheus::Family<prometheus::Gauge>& tls_expiry_;  // without a child, and so not shown, where there is no TLS
};

}  // namespace tankard::metrics

#pragma once
// The words of every metric label, and the values of the gauges when a scrape comes.

#include "metrics/metrics.hpp"
#include "proxy/http/server.hpp"
#include "proxy/services.hpp"

namespace tankard::proxy::app {

metrics::label_words label_words_of(const config::config& c);
metrics::request_sample sample_of(const services& s, const http::request_report& r);
/// Blocking for as long as a statvfs takes.
metrics::gauges read_gauges(const services& s, const http::server_stats& server);

}  // namespace tankard::proxy::app

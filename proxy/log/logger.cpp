#include "proxy/log/logger.hpp"

#include <spdlog/logger.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <unistd.h>

#include <array>
#include <ctime>
#include <vector>

namespace tankard::proxy::log {
namespace {

constexpr std::array<std::string_view, 4> level_words{"debug", "info", "warning", "error"};

/// "2026-08-30T12:00:00.123Z"
std::string utc(cache::wall_point t) {
  auto const ms = std::chrono::duration_cast<std::chrono::milliseconds>(t.time_since_epoch()).count();
  auto const seconds = static_cast<std::time_t>(ms / 1000);
  std::tm parts{};
  ::gmtime_r(&seconds, &parts);
  char date[32], out[48];
  std::strftime(date, sizeof date, "%Y-%m-%dT%H:%M:%S", &parts);
  std::snprintf(out, sizeof out, "%s.%03dZ", date, static_cast<int>(ms % 1000));
  return out;
}

level level_of(const http::request_report& r) {
  bool const ours = r.reason == reason::internal || r.reason == reason::store_failed || r.reason == reason::disk_full;
  if (ours) return level::error;
  return r.outcome == outcome::error ? level::warning : level::info;
}

logger::sink to_stderr() {
  auto const log = std::make_shared<spdlog::logger>("tankard", std::make_shared<spdlog::sinks::stderr_sink_mt>());
  log->set_pattern("%v");
  log->set_level(spdlog::level::trace);
  return [log](level, std::string_view line) {
    log->log(spdlog::level::info, spdlog::string_view_t{line.data(), line.size()});
  };
}

bool wants_json(const std::string& format, bool terminal) {
  return format == "json" || (format != "text" && !terminal);
}

}  // namespace

std::string_view to_string(level l) noexcept { return level_words[static_cast<std::size_t>(l)]; }

level level_named(std::string_view word) noexcept {
  for (std::size_t i = 0; i < level_words.size(); ++i)
    if (level_words[i] == word) return static_cast<level>(i);
  return level::info;
}

logger::logger(const config::log& options, const cache::clock& clock)
    : clock_(clock),
      least_(level_named(options.level)),
      json_(wants_json(options.format, ::isatty(STDERR_FILENO) == 1)),
      out_(to_stderr()) {}

logger::logger(const config::log& options, const cache::clock& clock, sink out)
    : clock_(clock),
      least_(level_named(options.level)),
      json_(wants_json(options.format, false)),
      out_(std::move(out)) {}

void logger::log_request(const http::request_report& r, std::string_view peer) const noexcept {
  auto const l = level_of(r);
  if (!wants(l)) return;
  auto const took = std::chrono::steady_clock::now() - r.begun;
  std::array const fields{
      field{"id", std::string_view{r.id}},
      field{"peer", peer},
      field{"operation", to_string(r.op)},
      field{"protocol", to_string(r.protocol)},
      field{"upstream", std::string_view{r.upstream}},
      field{"repo", std::string_view{r.repo}},
      field{"status", std::uint64_t{r.status}},
      field{"outcome", to_string(r.outcome)},
      field{"reason", to_string(r.reason)},
      field{"bytes_in", r.bytes_in},
      field{"bytes_out", r.bytes_out},
      field{"ms", std::chrono::duration<double, std::milli>(took).count()},
      field{"detail", std::string_view{r.detail}},
  };
  write(l, "request", std::span{fields}.first(r.detail.empty() ? fields.size() - 1 : fields.size()));
}

void logger::log_event(level l, std::string_view event, std::initializer_list<field> fields) const noexcept {
  if (wants(l)) write(l, event, {fields.begin(), fields.size()});
}

void logger::write(level l, std::string_view event, std::span<const field> fields) const noexcept {
  try {
    auto const time = utc(clock_.wall_now());
    std::vector<field> all{{"time", std::string_view{time}}, {"level", to_string(l)}, {"event", event}};
    all.insert(all.end(), fields.begin(), fields.end());
    out_(l, json_ ? as_json(all) : as_text(all));
  } catch (const std::exception&) {
    return;  // out of memory, or stderr is gone: there is no place left to say it
  }
}

}  // namespace tankard::proxy::log

#include "proxy/log/logger.hpp"

#include <unistd.h>

#include <array>
#include <ctime>
#include <vector>

#include "proxy/log/line_writer.hpp"

namespace tankard::proxy::log {
namespace {

constexpr std::array<std::string_view, 4> level_words{"debug", "info", "warning", "error"};

/// "2026-08-30T12:00:00.123Z"; the date and time of day are made once a second per thread.
class time_text {
 public:
  std::string_view of(cache::wall_point t) {
    auto const whole = std::chrono::floor<std::chrono::seconds>(t);
    auto const second = static_cast<std::time_t>(whole.time_since_epoch().count());
    if (second != second_ || size_ == 0) begin(second);
    auto const rest = std::chrono::duration_cast<std::chrono::milliseconds>(t - whole).count();
    char* at = text_.data() + size_ - 4;
    *at++ = static_cast<char>('0' + rest / 100);
    *at++ = static_cast<char>('0' + rest / 10 % 10);
    *at++ = static_cast<char>('0' + rest % 10);
    return {text_.data(), size_};
  }

 private:
  void begin(std::time_t second) {
    std::tm parts{};
    ::gmtime_r(&second, &parts);
    size_ = std::strftime(text_.data(), text_.size(), "%Y-%m-%dT%H:%M:%S.000Z", &parts);
    second_ = second;
  }

  std::array<char, 48> text_{};
  std::size_t size_ = 0;
  std::time_t second_ = 0;
};

level level_of(const http::request_report& r) {
  bool const ours = r.reason == reason::internal || r.reason == reason::store_failed || r.reason == reason::disk_full;
  if (ours) return level::error;
  return r.outcome == outcome::error ? level::warning : level::info;
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
      lines_(std::make_shared<line_writer>(STDERR_FILENO)),
      out_([to = lines_](level, std::string_view line) { to->add(line); }) {}

logger::logger(const config::log& options, const cache::clock& clock, sink out)
    : clock_(clock),
      least_(level_named(options.level)),
      json_(wants_json(options.format, false)),
      out_(std::move(out)) {}

void logger::log_request(const http::request_report& r, std::string_view peer) const noexcept {
  auto const l = level_of(r);
  if (!wants(l)) return;
  auto const took = std::chrono::steady_clock::now() - r.begun;
  std::array fields{
      field{"time", std::string_view{}},
      field{"level", to_string(l)},
      field{"event", "request"},
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
  write(l, std::span{fields}.first(r.detail.empty() ? fields.size() - 1 : fields.size()));
}

void logger::log_event(level l, std::string_view event, std::initializer_list<field> fields) const noexcept {
  if (!wants(l)) return;
  try {
    std::vector<field> all{{"time", std::string_view{}}, {"level", to_string(l)}, {"event", event}};
    all.insert(all.end(), fields.begin(), fields.end());
    write(l, all);
    if (lines_) lines_->flush();
  } catch (const std::exception&) {
    return;  // as in write()
  }
}

void logger::write(level l, std::span<field> fields) const noexcept {
  try {
    thread_local time_text time;
    fields.front().value = time.of(clock_.wall_now());
    out_(l, json_ ? as_json(fields) : as_text(fields));
  } catch (const std::exception&) {
    return;  // out of memory: there is no place left to say it
  }
}

}  // namespace tankard::proxy::log

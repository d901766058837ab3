#include "proxy/app/certificate_watch.hpp"

#include <array>
#include <ctime>
#include <utility>

namespace tankard::proxy::app {

using result = net::tls_certificates::result;

certificate_watch::certificate_watch(asio::io_context& home, net::tls_certificates& of, cache::blocking_pool& pool,
                                     const log::logger& logs, std::chrono::seconds interval,
                                     std::function<void()> on_change)
    : certificates_(of),
      pool_(pool),
      logs_(logs),
      interval_(interval.count() > 0 ? interval : std::chrono::hours(24 * 365)),
      on_change_(std::move(on_change)),
      timer_(home) {}

awaitable<void> certificate_watch::run() {
  while (!stopping_) {
    if (!told_) {
      timer_.expires_after(interval_);
      co_await timer_.async_wait(use_nothrow);
    }
    if (stopping_) co_return;
    bool const forced = std::exchange(told_, false);
    co_await look(forced);
  }
}

awaitable<void> certificate_watch::look(bool forced) {
  auto job = [this, forced] { return certificates_.look(forced); };
  auto const found = co_await pool_.run(std::move(job));
  tell(found);
  if (found.what == result::reloaded) on_change_();
}

void certificate_watch::tell(const net::tls_certificates::finding& found) const {
  if (found.what == result::failed) {
    logs_.log_event(log::level::error, "tls-reload-failed", {{"cause", found.cause}});
  } else if (found.what == result::reloaded) {
    auto const subject = certificates_.subject();
    auto const expires = iso_time(certificates_.expires());
    logs_.log_event(log::level::info, "tls-reloaded", {{"subject", subject}, {"expires", expires}});
  }
}

void certificate_watch::look_now() {
  told_ = true;
  timer_.cancel();
}

void certificate_watch::stop() {
  stopping_ = true;
  timer_.cancel();
}

std::string iso_time(std::chrono::system_clock::time_point t) {
  auto const seconds = std::chrono::system_clock::to_time_t(t);
  std::tm parts{};
  ::gmtime_r(&seconds, &parts);
  std::array<char, 32> text{};
  auto const size = std::strftime(text.data(), text.size(), "%Y-%m-%dT%H:%M:%SZ", &parts);
  return {text.data(), size};
}

}  // namespace tankard::proxy::app

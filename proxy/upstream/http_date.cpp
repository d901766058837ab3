#include "proxy/upstream/http_date.hpp"

#include <algorithm>
#include <array>
#include <charconv>

namespace tankard::proxy::upstream {
namespace {

using namespace std::chrono;

struct parts {
  std::optional<unsigned> day, month;
  std::optional<int> year;
  std::optional<seconds> time;
};

std::optional<unsigned> number(std::string_view s, std::size_t max_digits) noexcept {
  unsigned n = 0;
  auto const r = std::from_chars(s.data(), s.data() + s.size(), n);
  if (s.empty() || s.size() > max_digits || r.ec != std::errc{} || r.ptr != s.data() + s.size()) return std::nullopt;
  return n;
}

std::optional<seconds> time_of_day(std::string_view s) noexcept {
  if (s.size() != 8 || s[2] != ':' || s[5] != ':') return std::nullopt;
  auto const h = number(s.substr(0, 2), 2), m = number(s.substr(3, 2), 2), sec = number(s.substr(6, 2), 2);
  if (!h || !m || !sec || *h > 23 || *m > 59 || *sec > 60) return std::nullopt;
  return hours(*h) + minutes(*m) + seconds(*sec);
}

std::optional<unsigned> month_of(std::string_view s) noexcept {
  static constexpr std::array<std::string_view, 12> names{"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                          "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  auto const at = std::ranges::find(names, s);
  if (at == names.end()) return std::nullopt;
  return static_cast<unsigned>(at - names.begin()) + 1;
}

/// Two digits mean the year within half a century of 2020.
int full_year(unsigned n, std::size_t digits) noexcept {
  if (digits > 2) return static_cast<int>(n);
  return static_cast<int>(n < 70 ? 2000 + n : 1900 + n);
}

/// The three forms differ only in order and separators: each token is known by its shape.
void take(parts& p, std::string_view token) noexcept {
  if (auto const t = time_of_day(token); t && !p.time) {
    p.time = t;
  } else if (auto const m = month_of(token); m && !p.month) {
    p.month = m;
  } else if (auto const n = number(token, 4)) {
    if (!p.day && token.size() <= 2) {
      p.day = n;
    } else if (!p.year) {
      p.year = full_year(*n, token.size());
    }
  }
}

}  // namespace

std::optional<sys_seconds> parse_http_date(std::string_view text) noexcept {
  if (text.size() > 64) return std::nullopt;
  parts p;
  for (std::size_t at = 0; at < text.size();) {
    auto const end = std::min(text.find_first_of(" ,-", at), text.size());
    if (end > at) take(p, text.substr(at, end - at));
    at = end + 1;
  }
  if (!p.day || !p.month || !p.year || !p.time) return std::nullopt;
  auto const date = year_month_day(year(*p.year), month(*p.month), day(*p.day));
  if (!date.ok()) return std::nullopt;
  return sys_days(date) + *p.time;
}

}  // namespace tankard::proxy::upstream

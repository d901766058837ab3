#include "proxy/auth/rfc3339.hpp"

#include <algorithm>

namespace tankard::proxy::auth {
namespace {

using namespace std::chrono;

bool is_digit(char c) { return c >= '0' && c <= '9'; }

/// Takes from the front of a text; once something was not as wanted, nothing is any more.
struct scanner {
  std::string_view rest;
  bool ok = true;

  int number(std::size_t digits) {
    int n = 0;
    ok = ok && rest.size() >= digits && std::all_of(rest.begin(), rest.begin() + static_cast<long>(digits), is_digit);
    if (!ok) return 0;
    for (std::size_t i = 0; i < digits; ++i) n = 10 * n + (rest[i] - '0');
    rest.remove_prefix(digits);
    return n;
  }
  bool at(std::string_view any_of) { return ok && !rest.empty() && any_of.find(rest[0]) != any_of.npos; }
  char take(std::string_view any_of) {
    ok = at(any_of);
    if (!ok) return 0;
    char const c = rest[0];
    rest.remove_prefix(1);
    return c;
  }
  int within(int n, int most) {
    ok = ok && n <= most;
    return n;
  }
};

void skip_fraction(scanner& s) {
  if (!s.at(".")) return;
  s.take(".");
  s.number(1);
  while (s.at("0123456789")) s.number(1);
}

minutes offset(scanner& s) {
  char const sign = s.take("Zz+-");
  if (!s.ok || sign == 'Z' || sign == 'z') return minutes{0};
  int const h = s.within(s.number(2), 23);
  s.take(":");
  int const m = s.within(s.number(2), 59);
  auto const ahead = hours{h} + minutes{m};
  return sign == '-' ? -ahead : ahead;
}

}  // namespace

std::optional<sys_seconds> parse_rfc3339(std::string_view text) noexcept {
  scanner s{text};
  int const y = s.number(4);
  s.take("-");
  int const mo = s.number(2);
  s.take("-");
  int const d = s.number(2);
  s.take("Tt ");
  int const h = s.within(s.number(2), 23);
  s.take(":");
  int const mi = s.within(s.number(2), 59);
  s.take(":");
  int const sec = s.within(s.number(2), 60);
  skip_fraction(s);
  auto const ahead = offset(s);
  year_month_day const date{year{y}, month{static_cast<unsigned>(mo)}, day{static_cast<unsigned>(d)}};
  if (!s.ok || !s.rest.empty() || !date.ok()) return std::nullopt;
  return sys_days{date} + hours{h} + minutes{mi} + seconds{sec} - ahead;
}

}  // namespace tankard::proxy::auth

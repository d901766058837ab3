#include "proxy/config/value.hpp"

#include <algorithm>
#include <array>
#include <charconv>

namespace tankard::proxy::config {
namespace {

struct unit {
  std::string_view name;
  std::int64_t factor;
};
// The first of each size is the one that is shown.
constexpr std::array duration_units{unit{"d", 86'400'000}, unit{"h", 3'600'000}, unit{"m", 60'000}, unit{"s", 1'000},
                                    unit{"ms", 1}};
constexpr std::int64_t kib = 1024, mib = kib * 1024, gib = mib * 1024, tib = gib * 1024;
constexpr std::array byte_units{unit{"TiB", tib},
                                unit{"GiB", gib},
                                unit{"MiB", mib},
                                unit{"KiB", kib},
                                unit{"T", tib},
                                unit{"G", gib},
                                unit{"M", mib},
                                unit{"K", kib},
                                unit{"TB", 1'000'000'000'000},
                                unit{"GB", 1'000'000'000},
                                unit{"MB", 1'000'000},
                                unit{"KB", 1'000},
                                unit{"B", 1}};
constexpr std::size_t shown_byte_units = 4;

template <class... F>
struct overloaded : F... {
  using F::operator()...;
};

bool is_numeric(value_type t) {
  return t == value_type::integer || t == value_type::bytes || t == value_type::duration;
}

std::optional<bool> parse_bool(std::string_view text, bool strict) {
  if (text == "true") return true;
  if (text == "false") return false;
  if (strict) return std::nullopt;
  if (text == "yes" || text == "on" || text == "1") return true;
  if (text == "no" || text == "off" || text == "0") return false;
  return std::nullopt;
}

std::optional<std::int64_t> take_number(std::string_view& text) {
  std::int64_t n = 0;
  auto const [end, ec] = std::from_chars(text.data(), text.data() + text.size(), n);
  if (ec != std::errc{} || n < 0) return std::nullopt;
  text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  return n;
}

template <std::size_t N>
const unit* find_unit(const std::array<unit, N>& units, std::string_view name) {
  auto const it = std::find_if(units.begin(), units.end(), [&](const unit& u) { return u.name == name; });
  return it == units.end() ? nullptr : &*it;
}

/// "1h30m": numbers with units, largest first or not, added up. `bare` is the factor of a number alone.
template <std::size_t N>
std::optional<std::int64_t> parse_measure(std::string_view text, const std::array<unit, N>& units, std::int64_t bare) {
  std::int64_t sum = 0;
  if (text.empty()) return std::nullopt;
  for (bool first = true; !text.empty(); first = false) {
    auto const n = take_number(text);
    if (!n) return std::nullopt;
    auto const name = text.substr(0, text.find_first_of("0123456789"));
    text.remove_prefix(name.size());
    auto const* u = find_unit(units, name);
    auto const whole = first && name.empty();
    if (!u && !whole) return std::nullopt;
    std::int64_t part = 0;
    if (__builtin_mul_overflow(*n, u ? u->factor : bare, &part)) return std::nullopt;
    if (__builtin_add_overflow(sum, part, &sum)) return std::nullopt;
  }
  return sum;
}

std::optional<std::int64_t> parse_amount(value_type type, std::string_view text) {
  if (type == value_type::duration) return parse_measure(text, duration_units, 1'000);
  if (type == value_type::bytes) return parse_measure(text, byte_units, 1);
  auto const n = take_number(text);
  return text.empty() ? n : std::nullopt;
}

std::string show_amount(value_type type, std::int64_t n) {
  auto const with = [&](auto begin, auto end) -> std::string {
    for (auto u = begin; u != end; ++u)
      if (n >= u->factor && n % u->factor == 0) return std::to_string(n / u->factor).append(u->name);
    return std::to_string(n);
  };
  if (type == value_type::duration) return n == 0 ? "0s" : with(duration_units.begin(), duration_units.end());
  if (type == value_type::bytes) return with(byte_units.begin(), byte_units.begin() + shown_byte_units);
  return std::to_string(n);
}

std::vector<std::string> split(std::string_view text, char at) {
  std::vector<std::string> parts;
  while (!text.empty()) {
    auto part = text.substr(0, text.find(at));
    text.remove_prefix(std::min(text.size(), part.size() + 1));
    while (part.starts_with(' ')) part.remove_prefix(1);
    while (part.ends_with(' ')) part.remove_suffix(1);
    if (!part.empty()) parts.emplace_back(part);
  }
  return parts;
}

std::string joined(const std::vector<std::string>& parts, std::string_view comma, std::string_view last) {
  std::string out;
  for (std::size_t i = 0; i < parts.size(); ++i) {
    if (i != 0) out += i + 1 == parts.size() ? last : comma;
    out += parts[i];
  }
  return out;
}

std::string written(const raw_value& raw) {
  return std::visit(overloaded{[](std::monostate) { return std::string{"of another type"}; },
                               [](bool b) { return std::string{b ? "`true`" : "`false`"}; },
                               [](std::int64_t n) { return "`" + std::to_string(n) + "`"; },
                               [](const std::string& s) { return "the text " + ticked(s); },
                               [](const std::vector<std::string>&) { return std::string{"a list"}; },
                               [](const untyped& u) { return ticked(u.text); }},
                    raw);
}

std::string expectation(const value_rule& rule) {
  auto const range = range_of(rule);
  switch (rule.type) {
    case value_type::boolean:
      return "must be true or false";
    case value_type::integer:
      return "must be a number from " + range;
    case value_type::bytes:
      return "must be a number of bytes, such as 256MiB, from " + range;
    case value_type::duration:
      return "must be a duration, such as 5m, 3s or 500ms, from " + range;
    case value_type::text:
      return range.empty() ? "must be a text" : "must be " + range;
    case value_type::path:
      return "must be a path";
    case value_type::list:
      return "must be a list of strings";
    case value_type::address:
      return "must be an address and a port, such as 127.0.0.1:8080, or unix:/path, systemd, systemd:NAME or none";
    case value_type::mode:
      return "must be an octal mode in quotes, such as \"0660\"";
  }
  return "is of no known type";
}

/// The text to parse, where what was written may stand for the type at all.
std::optional<std::string> text_for(value_type type, const raw_value& raw) {
  if (auto const* u = std::get_if<untyped>(&raw)) return u->text;
  if (auto const* b = std::get_if<bool>(&raw))
    return type == value_type::boolean ? std::optional{*b ? "true" : "false"} : std::nullopt;
  if (auto const* n = std::get_if<std::int64_t>(&raw))
    return is_numeric(type) ? std::optional{std::to_string(*n)} : std::nullopt;
  auto const* s = std::get_if<std::string>(&raw);
  if (!s || type == value_type::boolean || type == value_type::integer || type == value_type::list) return std::nullopt;
  return *s;
}

bool set_amount(const value_rule& rule, value_ref into, std::string_view text) {
  auto const n = parse_amount(rule.type, text);
  if (!n || *n < rule.min || *n > rule.max) return false;
  if (auto* const* p = std::get_if<unsigned*>(&into)) return **p = static_cast<unsigned>(*n), true;
  if (auto* const* p = std::get_if<std::size_t*>(&into)) return **p = static_cast<std::size_t>(*n), true;
  if (auto* const* p = std::get_if<std::chrono::milliseconds*>(&into)) return **p = std::chrono::milliseconds{*n}, true;
  auto* const* seconds = std::get_if<std::chrono::seconds*>(&into);
  if (!seconds || *n % 1000 != 0) return false;
  **seconds = std::chrono::seconds{*n / 1000};
  return true;
}

/// Octal as chmod takes it. Never of a TOML number, which would be decimal.
bool set_mode(value_ref into, std::string_view text) {
  unsigned mode = 0;
  auto const [end, ec] = std::from_chars(text.data(), text.data() + text.size(), mode, 8);
  auto* const* place = std::get_if<unsigned*>(&into);
  if (!place || ec != std::errc{} || end != text.data() + text.size() || mode > 0777) return false;
  **place = mode;
  return true;
}

std::string show_mode(unsigned mode) {
  std::string out = "0000";
  for (auto digit = out.rbegin(); digit != out.rend(); ++digit, mode /= 8) *digit = static_cast<char>('0' + mode % 8);
  return out;
}

bool is_choice(std::string_view choices, const std::string& text) {
  auto const all = split(choices, '|');
  return all.empty() || std::find(all.begin(), all.end(), text) != all.end();
}

bool has_nul_or_newline(std::string_view s) { return s.find_first_of(std::string_view{"\0\n\r", 3}) != s.npos; }

bool set_text(const value_rule& rule, value_ref into, const std::string& text) {
  if (is_numeric(rule.type)) return set_amount(rule, into, text);
  if (rule.type == value_type::mode) return set_mode(into, text);
  if (has_nul_or_newline(text)) return false;
  if (auto* const* p = std::get_if<std::string*>(&into)) return is_choice(rule.choices, text) && (**p = text, true);
  if (auto* const* p = std::get_if<std::filesystem::path*>(&into)) return **p = text, true;
  auto* const* address = std::get_if<endpoint*>(&into);
  auto const parsed = address ? parse_endpoint(text) : std::nullopt;
  if (parsed) **address = *parsed;
  return parsed.has_value();
}

bool set_list(value_ref into, const raw_value& raw) {
  auto* const* list = std::get_if<std::vector<std::string>*>(&into);
  if (!list) return false;
  if (auto const* l = std::get_if<std::vector<std::string>>(&raw)) return **list = *l, true;
  if (auto const* u = std::get_if<untyped>(&raw)) return **list = split(u->text, ','), true;
  return false;
}

std::string toml_string(std::string_view s) {
  std::string out = "\"";
  for (char const c : s) {
    if (c == '"' || c == '\\') out += '\\';
    out += static_cast<unsigned char>(c) < 0x20 || c == 0x7f ? '?' : c;
  }
  return out + '"';
}

}  // namespace

std::string_view to_string(value_type t) noexcept {
  constexpr std::array<std::string_view, 9> words{"bool", "integer", "bytes",   "duration", "text",
                                                  "path", "list",    "address", "mode"};
  return words[static_cast<std::size_t>(t)];
}

std::optional<std::string> assign(const value_rule& rule, value_ref into, const raw_value& raw) {
  bool ok = false;
  auto const text = text_for(rule.type, raw);
  if (rule.type == value_type::list) {
    ok = set_list(into, raw);
  } else if (auto* const* flag = std::get_if<bool*>(&into)) {
    auto const parsed = text ? parse_bool(*text, !std::holds_alternative<untyped>(raw)) : std::nullopt;
    if (parsed) **flag = *parsed;
    ok = parsed.has_value();
  } else {
    ok = text && set_text(rule, into, *text);
  }
  if (ok) return std::nullopt;
  return expectation(rule) + ", is " + written(raw);
}

std::string show(const value_rule& rule, value_ref from) {
  return std::visit(
      overloaded{
          [](bool* b) { return std::string{*b ? "true" : "false"}; },
          [&](unsigned* n) { return rule.type == value_type::mode ? show_mode(*n) : show_amount(rule.type, *n); },
          [&](std::size_t* n) { return show_amount(rule.type, static_cast<std::int64_t>(*n)); },
          [&](std::chrono::seconds* s) { return show_amount(rule.type, s->count() * 1000); },
          [&](std::chrono::milliseconds* s) { return show_amount(rule.type, s->count()); },
          [](std::string* s) { return *s; }, [](std::filesystem::path* p) { return p->string(); },
          [](std::vector<std::string>* l) { return joined(*l, ",", ","); }, [](endpoint* e) { return to_string(*e); }},
      from);
}

std::string show_toml(const value_rule& rule, value_ref from) {
  if (rule.type == value_type::boolean || rule.type == value_type::integer) return show(rule, from);
  if (auto* const* list = std::get_if<std::vector<std::string>*>(&from)) {
    std::vector<std::string> parts;
    for (auto const& s : **list) parts.push_back(toml_string(s));
    return "[" + joined(parts, ", ", ", ") + "]";
  }
  return toml_string(show(rule, from));
}

std::string range_of(const value_rule& rule) {
  if (is_numeric(rule.type)) return show_amount(rule.type, rule.min) + " to " + show_amount(rule.type, rule.max);
  return joined(split(rule.choices, '|'), ", ", " or ");
}

std::string ticked(std::string_view text) {
  constexpr std::size_t longest = 80;
  std::string out = "`";
  for (char const c : text.substr(0, longest)) out += static_cast<unsigned char>(c) < 0x20 || c == 0x7f ? '?' : c;
  return out + (text.size() > longest ? "...`" : "`");
}

}  // namespace tankard::proxy::config

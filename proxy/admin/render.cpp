#include "proxy/admin/render.hpp"

#include <algorithm>
#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>

namespace tankard::proxy::admin {
namespace {

namespace json = boost::json;

bool is_away(const upstream_view& u) { return !u.available && u.state != "unknown"; }

json::object object_of(const upstream_view& u) {
  return {{"name", u.name},           {"url", u.url},         {"state", u.state},
          {"available", u.available}, {"enabled", u.enabled}, {"since_seconds", u.since_seconds},
          {"cause", u.cause},         {"breaker", u.breaker}};
}

json::array array_of(const view& v) {
  json::array out;
  for (auto const& u : v.upstreams) out.push_back(object_of(u));
  return out;
}

std::string line(const json::value& v) { return json::serialize(v) + "\n"; }

constexpr std::string_view page_head = R"(<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>tankard</title>
<meta name="viewport" content="width=device-width"><meta http-equiv="refresh" content="10">
<style>
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60em; margin: 2em auto; padding: 0 1em; color: #222; background: #fff }
h1 { font-size: 1.5em } h2 { font-size: 1.1em; margin-top: 2em }
table { border-collapse: collapse; width: 100% } th, td { text-align: left; padding: .3em 1em .3em 0; border-bottom: 1px solid #ddd; vertical-align: top }
.ok { color: #17692b } .away { color: #a3160f } .quiet { color: #555 }
@media (prefers-color-scheme: dark) { body { color: #ddd; background: #1b1b1b } th, td { border-color: #444 } .ok { color: #6fcf87 } .away { color: #ff8a80 } .quiet { color: #aaa } a { color: #8ab4f8 } }
</style></head><body>
)";

std::string cell(std::string_view text) { return "<td>" + escaped_html(text) + "</td>"; }

std::string row_of(const upstream_view& u) {
  auto const* const kind = u.available ? "ok" : is_away(u) ? "away" : "quiet";
  auto const state = u.enabled ? u.state : u.state + " (switched off)";
  return "<tr>" + cell(u.name) + cell(u.url) + "<td class=\"" + kind + "\">" + escaped_html(state) + "</td>" +
         cell(for_people(u.since_seconds)) + cell(u.breaker) + cell(u.cause) + "</tr>\n";
}

std::string fact(std::string_view what, std::string_view value) {
  return "<tr><th scope=\"row\">" + escaped_html(what) + "</th>" + cell(value) + "</tr>\n";
}

std::string summary(const view& v) {
  auto const away = std::count_if(v.upstreams.begin(), v.upstreams.end(), is_away);
  if (away == 0) return "<p class=\"ok\">All is well.</p>\n";
  auto const answers = v.offline_mode ? "What is cached is served." : "offline_mode is off: nothing is served for it.";
  return "<p class=\"away\">" + std::to_string(away) + " of " + std::to_string(v.upstreams.size()) +
         " upstreams away. " + answers + "</p>\n";
}

}  // namespace

std::string_view status_word(const view& v) noexcept {
  return std::any_of(v.upstreams.begin(), v.upstreams.end(), is_away) ? "degraded" : "ok";
}

std::string upstream_status_word(const view& v) {
  if (v.upstreams.empty()) return "unknown";
  auto const& first = v.upstreams.front().state;
  auto const same = [&](const upstream_view& u) { return u.state == first; };
  return std::all_of(v.upstreams.begin(), v.upstreams.end(), same) ? first : "mixed";
}

std::string health_json(const view& v) {
  json::object const stats{{"hits", v.hits}, {"misses", v.misses}, {"stale_serves", v.stale_serves}};
  return line(json::object{{"status", status_word(v)},
                           {"upstream_status", upstream_status_word(v)},
                           {"offline_mode", v.offline_mode},
                           {"cached_repos", v.cached_repos},
                           {"cache_stats", stats},
                           {"upstreams", array_of(v)}});
}

std::string upstreams_json(const view& v) { return line(json::object{{"upstreams", array_of(v)}}); }
std::string upstream_json(const upstream_view& u) { return line(object_of(u)); }
std::string error_json(std::string_view sentence) {
  return line(json::object{{"error", json::string_view{sentence.data(), sentence.size()}}});
}

std::string status_page(const view& v) {
  std::string out{page_head};
  out += "<h1>tankard <span class=\"quiet\">" + escaped_html(v.version) + "</span></h1>\n" + summary(v);
  out +=
      "<h2>Upstreams</h2>\n<table><tr><th>Name</th><th>URL</th><th>State</th><th>For</th><th>Breaker</th><th>Cause</"
      "th></tr>\n";
  for (auto const& u : v.upstreams) out += row_of(u);
  out += "</table>\n<h2>Cache</h2>\n<table>\n";
  out += fact("Repositories remembered", std::to_string(v.cached_repos));
  out += fact("Listings from memory", std::to_string(v.hits));
  out += fact("Listings that memory could not answer", std::to_string(v.misses));
  out += fact("Stale listings served", std::to_string(v.stale_serves));
  out += fact("Up for", for_people(v.uptime_seconds));
  for (auto const& [what, value] : v.facts) out += fact(what, value);
  out +=
      "</table>\n<p class=\"quiet\"><a href=\"/healthz\">health</a> &middot; <a href=\"/metrics\">metrics</a> &middot; "
      "<a href=\"/api/v1/upstreams\">upstreams</a></p>\n</body></html>\n";
  return out;
}

std::string escaped_html(std::string_view text) {
  std::string out;
  for (char const c : text) {
    switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '"':
        out += "&quot;";
        break;
      case '\'':
        out += "&#39;";
        break;
      default:
        out += c;
    }
  }
  return out;
}

std::string for_people(std::uint64_t s) {
  auto const two = [](std::uint64_t a, const char* ua, std::uint64_t b, const char* ub) {
    return std::to_string(a) + ua + (b == 0 ? "" : " " + std::to_string(b) + ub);
  };
  if (s < 60) return std::to_string(s) + "s";
  if (s < 3'600) return std::to_string(s / 60) + "m";
  if (s < 86'400) return two(s / 3'600, "h", s % 3'600 / 60, "m");
  return two(s / 86'400, "d", s % 86'400 / 3'600, "h");
}

}  // namespace tankard::proxy::admin

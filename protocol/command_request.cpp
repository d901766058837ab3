#include "protocol/command_request.hpp"

#include <algorithm>
#include <array>

#include "protocol/pkt_cursor.hpp"

namespace tankard::protocol {
namespace {

constexpr std::string_view command_prefix = "command=";

// gitprotocol-v2 "Capabilities": key = 1*(ALPHA | DIGIT | "-_").
bool is_command_name(std::string_view name) noexcept {
  auto const is_key_char = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
  };
  return !name.empty() && std::ranges::all_of(name, is_key_char);
}

result<std::string_view> read_command(pkt_cursor& in) {
  if (in.at_end()) return errc::bad_command;
  auto const line = in.next();
  if (!line) return line.error();
  auto const text = line->text();
  if (line->type != pkt_type::data || !text.starts_with(command_prefix)) return errc::bad_command;
  auto const name = text.substr(command_prefix.size());
  if (!is_command_name(name)) return errc::bad_command;
  return name;
}

// Reads up to the delim-pkt or the flush-pkt and returns which of the two it was.
result<pkt_type> read_capabilities(pkt_cursor& in, capability_list& out) {
  while (true) {
    auto const line = in.next();
    if (!line) return line.error();
    if (line->type == pkt_type::response_end) return errc::unexpected_packet;
    if (line->type != pkt_type::data) return line->type;
    // serve.c, parse_command: two commands in one request are an error.
    if (line->text().starts_with(command_prefix)) return errc::bad_command;
    if (auto const added = out.add(line->text()); !added) return added.error();
  }
}

result<void> read_args(pkt_cursor& in, std::vector<std::string_view>& out, std::size_t max_args) {
  while (true) {
    auto const line = in.next();
    if (!line) return line.error();
    if (line->type == pkt_type::flush) return {};
    if (line->type != pkt_type::data) return errc::unexpected_packet;
    if (out.size() >= max_args) return errc::too_many;
    out.push_back(line->text());
  }
}

}  // namespace

result<command_request> parse_command_request(std::string_view body, command_limits limits) {
  pkt_cursor in{body};
  command_request request;
  auto const command = read_command(in);
  if (!command) return command.error();
  request.command = *command;

  auto const end = read_capabilities(in, request.capabilities);
  if (!end) return end.error();
  if (*end == pkt_type::delim) {
    auto const args = read_args(in, request.args, limits.max_args);
    if (!args) return args.error();
  }
  if (!in.at_end()) return errc::trailing_data;
  return request;
}

void append_command(std::string& out, const command_head& head) {
  append_text_pkt(out, std::string{command_prefix} + std::string{head.command});
  if (!head.agent.empty()) append_text_pkt(out, "agent=" + std::string{head.agent});
  if (head.format != object_format::sha1) append_text_pkt(out, "object-format=" + std::string{to_string(head.format)});
  for (auto const& option : head.server_options) append_text_pkt(out, "server-option=" + option);
}

std::vector<std::string> server_options(const capability_list& caps) {
  std::vector<std::string> out;
  for (auto const& c : caps.entries())
    if (c.key == "server-option" && c.value) out.push_back(*c.value);
  std::ranges::sort(out);
  return out;
}

result<object_format> requested_format(const capability_list& caps) {
  auto format = object_format::sha1;  // gitprotocol-v2 "object-format": what is meant where it is not said
  bool said = false;
  for (auto const& c : caps.entries()) {
    if (c.key != "object-format") continue;
    if (c.value != "sha1" && c.value != "sha256") return errc::bad_argument;
    auto const named = *c.value == "sha1" ? object_format::sha1 : object_format::sha256;
    if (said && named != format) return errc::bad_argument;
    format = named;
    said = true;
  }
  return format;
}

std::vector<std::string> unknown_capabilities(const capability_list& caps) {
  constexpr std::array<std::string_view, 4> known = {"agent", "session-id", "object-format", "server-option"};
  std::vector<std::string> out;
  for (auto const& c : caps.entries())
    if (std::ranges::find(known, c.key) == known.end()) out.push_back(c.text());
  return out;
}

}  // namespace tankard::protocol

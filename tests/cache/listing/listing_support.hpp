#pragma once
// Short spellings for refs, questions and listings.

#include <algorithm>
#include <string>
#include <vector>

#include "cache/listing/snapshot.hpp"
#include "protocol/ref_name.hpp"
#include "tests/support/fake_clock.hpp"

namespace tankard::test {

using namespace std::chrono_literals;
using cache::boot_point;
using cache::ref_table;
using protocol::ls_refs_request;
using protocol::object_id;
using protocol::ref_record;

/// The oid whose every byte is a function of `n`.
inline object_id oid(unsigned n) {
  std::string hex(40, '0');
  for (std::size_t i = 0; i < 8; ++i) hex[39 - i] = "0123456789abcdef"[(n >> (4 * i)) & 15];
  hex[0] = 'a';
  return *object_id::from_hex(hex);
}
inline ref_record ref(std::string name, unsigned value) { return {.name = std::move(name), .oid = oid(value)}; }
inline ref_record symref(std::string name, std::string target, unsigned value) {
  return {.name = std::move(name), .oid = oid(value), .symref_target = std::move(target)};
}
inline ref_record unborn_head() { return {.name = "HEAD", .symref_target = "refs/heads/main", .unborn = true}; }

/// As tankard asks upstream. Prefixes in any order.
inline ls_refs_request ask(std::vector<std::string> prefixes = {}) {
  std::ranges::sort(prefixes);
  return {.peel = true, .symrefs = true, .unborn = true, .ref_prefixes = std::move(prefixes)};
}
/// As `git fetch origin <name>` asks.
inline ls_refs_request ask_short(const std::string& name) {
  auto const six = protocol::expand_short_name(name);
  return ask({six.begin(), six.end()});
}
inline ls_refs_request ask_clone() { return ask({"HEAD", "refs/heads/", "refs/tags/"}); }

inline std::vector<std::string> names_of(const std::vector<ref_record>& refs) {
  std::vector<std::string> out;
  for (auto const& r : refs) out.push_back(r.name);
  return out;
}

}  // namespace tankard::test

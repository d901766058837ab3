#pragma once
// Tells health, metrics and log how a request to an upstream ended: one place for all who talk to upstreams.
// Thread-safe.

#include <chrono>
#include <string>
#include <string_view>

#include "proxy/services.hpp"
#include "proxy/upstream/classify.hpp"

namespace tankard::proxy::refresh {

/// What the operation of an upstream request came to, as a metric label.
enum class ask_result : std::uint8_t { ok, denied, redirect, other, outage, rate_limited, client };
inline constexpr std::size_t ask_result_count = 7;
std::string_view to_string(ask_result r) noexcept;

/// Tells health and metrics how a request to the upstream ended.
void note_failure(services& s, const repo_ref& repo, operation op, const std::string& credential,
                  const upstream::failure& f, std::chrono::nanoseconds took);
void note_answer(services& s, const repo_ref& repo, operation op, const std::string& credential,
                 const upstream::response_head& head, const upstream::classified& meaning,
                 std::chrono::nanoseconds took);

/// One log line where a listing is older than what was pushed: it is answered, and not kept.
void note_lagging(const services& s, const cache::repo_key& key);

/// One log line where something could not be kept or brought up to date: clients are served, but not from here.
void note_keep_failed(const services& s, const cache::repo_key& key, std::string_view cause);

}  // namespace tankard::proxy::refresh

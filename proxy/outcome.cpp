#include "proxy/outcome.hpp"

#include <array>

namespace tankard::proxy {
namespace {

constexpr std::array<std::string_view, outcome_count> outcome_words{
    "hit", "revalidated", "stale", "collapsed", "local", "miss", "bypass", "denied", "refused", "error"};

constexpr std::array<std::string_view, reason_count> reason_words{"none",
                                                                  "fresh",
                                                                  "fresh-fallback",
                                                                  "stale-fallback",
                                                                  "patience",
                                                                  "disabled",
                                                                  "breaker-open",
                                                                  "dns",
                                                                  "connect",
                                                                  "tls",
                                                                  "tls-verify",
                                                                  "timeout",
                                                                  "reset",
                                                                  "truncated",
                                                                  "not-git",
                                                                  "server-error",
                                                                  "rate-limited",
                                                                  "locked",
                                                                  "upstream-answer",
                                                                  "never-fetched",
                                                                  "refs-not-known",
                                                                  "not-public",
                                                                  "object-missing",
                                                                  "login",
                                                                  "no-decision",
                                                                  "credential",
                                                                  "protocol-v0",
                                                                  "push",
                                                                  "lfs",
                                                                  "dumb",
                                                                  "unknown-command",
                                                                  "unsupported-argument",
                                                                  "store-lacks",
                                                                  "not-clone-shaped",
                                                                  "too-large-listing",
                                                                  "malformed",
                                                                  "bad-target",
                                                                  "not-mounted",
                                                                  "not-allowed",
                                                                  "not-admitted",
                                                                  "too-large",
                                                                  "slow-client",
                                                                  "overloaded",
                                                                  "method",
                                                                  "client-gone",
                                                                  "store-failed",
                                                                  "disk-full",
                                                                  "internal"};
static_assert(!reason_words.back().empty(), "every reason has a word");

constexpr std::array<std::string_view, operation_count> operation_words{"info_refs", "ls_refs", "fetch", "push",
                                                                        "lfs",       "dumb",    "other"};
constexpr std::array<std::string_view, git_protocol_count> protocol_words{"v0", "v1", "v2", "none"};

}  // namespace

std::string_view to_string(outcome o) noexcept { return outcome_words[static_cast<std::size_t>(o)]; }
std::string_view to_string(reason r) noexcept { return reason_words[static_cast<std::size_t>(r)]; }
std::string_view to_string(operation o) noexcept { return operation_words[static_cast<std::size_t>(o)]; }
std::string_view to_string(git_protocol p) noexcept { return protocol_words[static_cast<std::size_t>(p)]; }

}  // namespace tankard::proxy

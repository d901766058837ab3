#pragma once
// One function per kind of request. Each runs on the connection's executor and answers exactly once.

#include <optional>
#include <string>

#include "protocol/command_request.hpp"
#include "protocol/v0_request.hpp"
#include "proxy/http/exchange.hpp"
#include "proxy/http/request_body.hpp"
#include "proxy/http/target.hpp"
#include "proxy/services.hpp"

namespace tankard::proxy::handlers {

/// What dispatch found out about a request.
struct routed {
  repo_ref repo;
  http::git_target target;
  int protocol_version = 0;             ///< asked for by Git-Protocol: 0, 1 or 2
  auth::identity_ptr who;               ///< never null
  std::optional<std::string> unusable;  ///< tankard's own credential cannot be had: why

  bool anonymous() const noexcept { return who->anonymous(); }
  const std::string& principal() const noexcept { return who->principal; }

  /// What upstream is asked for.
  std::string upstream_target() const { return repo.target(target.suffix, target.query); }
};

/// A v2 request whose body is in memory.
struct v2_request {
  const http::held_body& body;
  const protocol::command_request& command;
};

/// The same of v0 or v1: a fetch.
struct v0_request {
  const http::held_body& body;
  const protocol::v0_request& asked;
};

awaitable<void> info_refs(services& s, http::exchange& x, routed r);
awaitable<void> upload_pack(services& s, http::exchange& x, routed r);
/// `body` is the request that `asked` was parsed from.
awaitable<void> ls_refs(services& s, http::exchange& x, const routed& r, const std::string& body,
                        cache::ls_refs_question_ptr asked);
/// One that is newer than what is known here: upstream's to answer.
awaitable<void> unknown_ls_refs(services& s, http::exchange& x, const routed& r, const std::string& body,
                                error_code why);
awaitable<void> fetch(services& s, http::exchange& x, const routed& r, const v2_request& request);
awaitable<void> fetch_v0(services& s, http::exchange& x, const routed& r, const v0_request& request);
awaitable<void> receive_pack(services& s, http::exchange& x, routed r);

class push_watch;

/// How a request is passed through.
struct pass {
  proxy::reason why = reason::none;
  const std::string* body = nullptr;  ///< already read (and inflated) here, sent whole; null: streamed from the client
  push_watch* watching = nullptr;     ///< sees the body of a push and the answer to it
  std::function<void(unsigned status)> at_head = nullptr;  ///< told of the answer before the client is
  bool memory_can_answer = false;  ///< an answer that amounts to an outage is not relayed but returned as a failure
};
/// Streams the request to the upstream and the answer back as they are; nothing is kept. A failure is returned only
/// while nothing was sent to the client, so that the caller may still answer.
awaitable<std::optional<upstream::failure>> try_pass_through(services& s, http::exchange& x, const routed& r, pass p);
/// The same; a failure is answered with 502 or 504 and a sentence.
awaitable<void> pass_through(services& s, http::exchange& x, const routed& r, pass p);

}  // namespace tankard::proxy::handlers

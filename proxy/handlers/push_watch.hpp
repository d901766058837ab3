#pragma once
// Looks on while a push is passed through, so that nothing remembered of its refs outlives it (DESIGN 4): reads the
// commands from the head of the body and the report from the answer, as copies that go no further. One coroutine sends
// the body and another one relays the answer, both on the executor of the connection.

#include <optional>
#include <string_view>

#include "protocol/push_report.hpp"
#include "protocol/push_request.hpp"
#include "proxy/handlers/handlers.hpp"
#include "proxy/http/inflate.hpp"

namespace tankard::proxy::handlers {

class push_watch {
 public:
  /// From here on the push is under way.
  push_watch(services& s, const repo_ref& repo, const http::request_head& head);
  /// It ended: what was asked before is old.
  ~push_watch();
  push_watch(const push_watch&) = delete;
  push_watch& operator=(const push_watch&) = delete;

  /// Bytes of the body as they came, before they are sent.
  void sends(std::string_view piece);
  /// The whole body was sent: from now on upstream may do what it says, also where no answer comes.
  void sent_all() noexcept { all_sent_ = true; }
  /// The head of the answer came.
  void answered(unsigned status);
  /// Bytes of a good answer, before the client gets them.
  void see(std::string_view bytes);

 private:
  enum class coding : std::uint8_t { plain, gzip, unknown };

  bool may_have_changed() const;
  bool is_probe() const { return commands_.request() != nullptr && commands_.request()->commands == 0; }

  services& s_;
  const cache::repo_key key_;
  refresh::recent_pushes::under_way under_way_;
  coding coding_;
  std::optional<http::gzip_inflater> inflater_;
  protocol::push_request_reader commands_;
  std::optional<protocol::push_report_reader> report_;  ///< once the commands are known
  std::optional<unsigned> status_;
  bool all_sent_ = false;
};

}  // namespace tankard::proxy::handlers

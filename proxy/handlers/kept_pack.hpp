#pragma once
// Plan 5 of DESIGN 5: while a clone-shaped answer streams through, its pack is kept beside, to become the store's first
// pack.

#include <memory>
#include <string>
#include <vector>

#include "cache/store/store_ingest.hpp"
#include "protocol/fetch_response.hpp"
#include "proxy/handlers/relay_stream.hpp"
#include "proxy/services.hpp"

namespace tankard::proxy::handlers {

/// Whatever is odd about the answer (an error, a shallow line, a full disk, an early end) makes it forget the pack: the
/// client's answer is never touched. The claim on the first pack is given back when it goes.
class kept_pack final : public onlooker {
 public:
  /// nullptr where another client keeps the first pack already, or the disk has no room.
  static awaitable<std::unique_ptr<kept_pack>> begin(services& s, repo_ref repo, auth::identity_ptr who,
                                                     std::string generation);
  ~kept_pack() override;

  awaitable<void> see(std::string_view bytes) override;
  /// The answer came whole: if the pack did too, it is handed to the store in the background.
  void seal(std::vector<protocol::object_id> wants);

 private:
  kept_pack(services& s, repo_ref repo, auth::identity_ptr who, std::string generation);
  /// The pack bytes of one piece; false where the answer is not one to keep.
  bool collect(std::string_view bytes);

  services& s_;
  repo_ref repo_;
  auth::identity_ptr who_;
  std::string generation_;
  std::unique_ptr<cache::pack_spool> spool_;  // null once forgotten or sealed
  protocol::fetch_response_reader reader_;
  std::string pending_;  // pack bytes of the piece at hand
  bool sealed_ = false;
};

}  // namespace tankard::proxy::handlers

#pragma once
// The sync: a pack streams into `git index-pack --stdin --fix-thin`, whose objects go to a staging folder (as git's own
// quarantine of a push does), and come into the store when rev-list has found every want's history whole.

#include "cache/store/git_child.hpp"
#include "cache/store/staging.hpp"
#include "cache/store/store_ingest.hpp"

namespace tankard::cache {

class store_ingest::sync_sink final : public pack_sink {
 public:
  sync_sink(store_ingest& owner, repo_store_ptr store, staging_folder staging, std::unique_ptr<watched_child> child)
      : owner_(owner),
        store_(std::move(store)),
        reading_(store_->begin_reading()),
        staging_(std::move(staging)),
        child_(std::move(child)) {}
  awaitable<ingest_result<void>> write(std::string_view pack_bytes) override;
  awaitable<ingest_result<void>> commit(std::vector<protocol::object_id> wants) override;

 private:
  awaitable<ingest_result<void>> take_in(std::vector<protocol::object_id> wants);
  awaitable<void> drop();
  store_ingest& owner_;
  repo_store_ptr store_;
  store_lease reading_;     // git takes the bases of a thin pack from the store's packs
  staging_folder staging_;  // after the child: killed first, removed then
  std::unique_ptr<watched_child> child_;
};

}  // namespace tankard::cache

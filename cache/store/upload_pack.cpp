#include "cache/store/git_child.hpp"

namespace tankard::cache {

spawn_options upload_pack_command(const repo_store& store, std::size_t max_memory) {
  auto const folder = store.folder().string();
  ingest_limits limits;
  limits.max_memory = max_memory;
  // safe.directory: where the cache volume belongs to somebody else, git would refuse; -c is among the places it is
  // heeded from.
  return git_command(limits, 1,
                     {"-c", "safe.directory=" + folder, "upload-pack", "--strict", "--stateless-rpc", folder},
                     {"GIT_PROTOCOL=version=2"});
}

}  // namespace tankard::cache

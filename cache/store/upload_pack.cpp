#include "cache/store/git_child.hpp"

namespace tankard::cache {

spawn_options upload_pack_command(const repo_store& store, std::size_t max_memory, upload_pack_protocol protocol) {
  auto const folder = store.folder().string();
  ingest_limits limits;
  limits.max_memory = max_memory;
  std::vector<std::string> version;  // git without GIT_PROTOCOL speaks v0
  if (protocol == upload_pack_protocol::v2) version.emplace_back("GIT_PROTOCOL=version=2");
  // safe.directory: where the cache volume belongs to somebody else, git would refuse; -c is among the places it is
  // heeded from.
  return git_command(limits, 1,
                     {"-c", "safe.directory=" + folder, "upload-pack", "--strict", "--stateless-rpc", folder},
                     std::move(version));
}

}  // namespace tankard::cache

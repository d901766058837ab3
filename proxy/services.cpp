#include "proxy/services.hpp"

#include "proxy/http/target.hpp"

namespace tankard::proxy {

std::string repo_ref::target(std::string_view suffix, std::string_view query) const {
  std::string path = site.settings.base_path + "/" + cache::upstream_path(key, site.settings.kind);
  path += suffix;
  std::string out = http::encode_path(path);
  if (!query.empty()) out.append("?").append(query);
  return out;
}

}  // namespace tankard::proxy

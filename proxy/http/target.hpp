#pragma once
// What a request target asks for, below a mount. Pure. Thread-safe.

#include <cstdint>
#include <string>
#include <string_view>

#include <boost/system/result.hpp>

namespace tankard::proxy::http {

enum class git_service : std::uint8_t {
  info_refs_upload_pack,   ///< GET  info/refs?service=git-upload-pack
  info_refs_receive_pack,  ///< GET  info/refs?service=git-receive-pack
  upload_pack,             ///< POST git-upload-pack
  receive_pack,            ///< POST git-receive-pack
  lfs,                     ///< any  info/lfs/..., gitlab-lfs/objects/...
  dumb,                    ///< GET  HEAD, info/refs without service, objects/...
};

enum class target_error : std::uint8_t {
  not_origin_form,  ///< absolute-form, `*`, no leading '/' -> 400
  bad_encoding,     ///< a % not followed by two hex digits, or an encoded '/', '\\', NUL, control character -> 400
  bad_segment,      ///< empty, `.`, `..`, backslash, control character, over 255 bytes -> 400
  too_long,         ///< over 4096 bytes -> 400
  not_git,          ///< no path that git asks for -> 404
};

/// A target whose path is decoded and safe, before the mount is known. `path` begins with '/', has no trailing '/'.
struct clean_target {
  std::string path;   ///< decoded
  std::string query;  ///< raw, without '?'
};
boost::system::result<clean_target, target_error> clean(std::string_view raw_target);

struct git_target {
  std::string repo_path;  ///< decoded, no leading or trailing '/', never empty
  git_service service = git_service::dumb;
  std::string suffix;  ///< decoded, from the '/' behind the repository on: "/info/refs", "/info/lfs/objects/batch"
  std::string query;   ///< raw
};
/// `below_mount` is the decoded path behind the mount, with its leading '/'.
boost::system::result<git_target, target_error> split_git_target(std::string_view below_mount, std::string_view query);

/// Percent-encodes a decoded path for an upstream's target: unreserved characters, sub-delims, ':', '@' and '/' as they
/// are.
std::string encode_path(std::string_view decoded);

}  // namespace tankard::proxy::http

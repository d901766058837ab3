#pragma once
// The token that changes through the API need. Blocking: called once, at start.

#include <filesystem>
#include <string>

namespace tankard::proxy::admin {

struct token_result {
  std::string token;    ///< empty where there is a problem
  std::string problem;  ///< a sentence without the token
};

/// A token that the operator wrote: a file that only its owner may read, of 16 to 4096 printable characters without
/// spaces.
token_result read_token(const std::filesystem::path& file);

/// The token of the cache directory: the one that is there, or a new one of 32 random bytes in hex, mode 0600.
/// A file that others could read or that is no such token is replaced. A folder that has to be made is its owner's
/// only.
token_result keep_token(const std::filesystem::path& file);

/// read_token() where `configured` names a file, else keep_token() of `by_default`.
token_result obtain_token(const std::filesystem::path& configured, const std::filesystem::path& by_default);

}  // namespace tankard::proxy::admin

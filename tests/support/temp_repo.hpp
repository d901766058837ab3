#pragma once
// Real repositories made by real git in temporary folders, the same oids in every run.

#include <stdio.h>
#include <sys/wait.h>

#include <array>
#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <string>

#include "protocol/object_id.hpp"
#include "tests/support/temp_dir.hpp"

namespace tankard::test {

/// Runs a shell command in a folder; stdout is the value, an exit code other than 0 is thrown.
inline std::string shell_in(const std::filesystem::path& folder, const std::string& command) {
  auto const whole = "cd '" + folder.string() + "' && { " + command + "\n}";
  FILE* const pipe = ::popen(whole.c_str(), "re");
  if (pipe == nullptr) throw std::runtime_error("popen failed");
  std::string out;
  std::array<char, 65536> buffer;
  while (auto const n = ::fread(buffer.data(), 1, buffer.size(), pipe)) out.append(buffer.data(), n);
  if (int const status = ::pclose(pipe); status != 0) throw std::runtime_error(command + ": " + std::to_string(status));
  return out;
}

inline std::string without_last_newline(std::string text) {
  if (text.ends_with('\n')) text.pop_back();
  return text;
}

/// A repository with a work tree on branch main.
class temp_repo {
 public:
  explicit temp_repo(protocol::object_format format = protocol::object_format::sha1) {
    git("init -q -b main --object-format=" + std::string(to_string(format)) + " .");
  }

  const std::filesystem::path& path() const noexcept { return dir_.path(); }

  /// Runs git with fixed author, dates and no configuration of the machine.
  std::string git(const std::string& arguments) const { return without_last_newline(shell(prefix() + arguments)); }
  std::string shell(const std::string& command) const { return shell_in(path(), command); }

  protocol::object_id commit(const std::string& file, const std::string& content) const {
    std::ofstream(path() / file, std::ios::binary) << content;
    git("add -A");
    git("commit -q -m '" + file + "'");
    return oid("HEAD");
  }
  protocol::object_id oid(const std::string& revision) const {
    return *protocol::object_id::from_hex(git("rev-parse '" + revision + "'"));
  }
  /// A pack of what these arguments of rev-parse name and reach, e.g. "--all ^v1".
  std::string pack(const std::string& revisions, const std::string& options = "") const {
    return shell(prefix() + "rev-parse " + revisions + " | " + prefix() + "pack-objects -q --revs --stdout " + options);
  }

 private:
  static std::string prefix() {
    return "GIT_CONFIG_NOSYSTEM=1 GIT_CONFIG_GLOBAL=/dev/null LC_ALL=C GIT_AUTHOR_NAME=A "
           "GIT_AUTHOR_EMAIL=a@example.org "
           "GIT_COMMITTER_NAME=C GIT_COMMITTER_EMAIL=c@example.org GIT_AUTHOR_DATE='1700000000 +0000' "
           "GIT_COMMITTER_DATE='1700000000 +0000' git -c gc.auto=0 ";
  }
  temp_dir dir_;
};

}  // namespace tankard::test

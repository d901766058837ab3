#pragma once
// The files of the ls-refs cache: <dir>/v1/<storage id>.snapshot and <dir>/quarantine/. Blocking.
//
// Only one thread changes files (load(), then the journal), so what is decided about a file still holds when it is
// done; read() may be called from any thread at any time and finds a whole file or none.

#include <boost/system/result.hpp>
#include <deque>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "cache/repo_key.hpp"

namespace tankard::cache {

class snapshot_files {
 public:
  /// Largest file read or written.
  static constexpr std::size_t max_file = 1u << 30;

  /// At most `max_quarantined` files are kept aside; the oldest go.
  snapshot_files(std::filesystem::path directory, std::size_t max_quarantined)
      : directory_(std::move(directory)), max_quarantined_(max_quarantined) {}

  struct index {
    std::vector<storage_digest> ids;
    std::vector<std::string> foreign;  ///< names that are none of ours: now in quarantine
  };
  /// Makes the folders, removes leftover temp files and reads the names. REQUIRES: the lock of the cache directory.
  boost::system::result<index> load();

  boost::system::result<std::string> read(const storage_digest& id) const;
  /// Whether an error of read() is the file's own. Others (no descriptors, no rights) may pass.
  static bool is_damage(const boost::system::error_code& e) noexcept;

  /// A file is written beside its place, flushed, and put in its place. With `flush` false the flush is flush_all()'s.
  boost::system::result<void> write_beside(const storage_digest& id, std::string_view bytes, bool flush);
  boost::system::result<void> flush_all();
  boost::system::result<void> put_in_place(const storage_digest& id);
  void remove_beside(const storage_digest& id) noexcept;
  /// True also where there is no such file.
  boost::system::result<void> remove(const storage_digest& id);
  boost::system::result<void> quarantine(const storage_digest& id);
  /// Makes names durable: after put_in_place, remove and quarantine.
  boost::system::result<void> sync();

  std::filesystem::path path_of(const storage_digest& id) const;

 private:
  std::filesystem::path folder() const { return directory_ / "v1"; }
  std::filesystem::path quarantine_folder() const { return directory_ / "quarantine"; }
  std::filesystem::path beside(const storage_digest& id) const;
  boost::system::result<void> move_aside(const std::string& name);
  boost::system::result<void> read_quarantine();

  std::filesystem::path directory_;
  std::size_t max_quarantined_;
  std::deque<std::string> quarantined_;  // oldest first
};

}  // namespace tankard::cache

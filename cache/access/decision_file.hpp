#pragma once
// The decision book's place on disk: its folder, its database with what SQLite keeps beside it, its quarantine. Every
// call blocks. Not thread-safe.

#include <filesystem>
#include <string>
#include <vector>

#include <boost/system/result.hpp>

#include "cache/access/decision_database.hpp"

namespace tankard::cache {

class decision_file {
 public:
  static constexpr std::size_t max_quarantined = 8;

  decision_file(std::filesystem::path file, const decision_seal& seal) : file_(std::move(file)), database_(seal) {}

  /// Makes folder (0700) and file (0600) where they are missing.
  boost::system::result<saved_decisions, file_problem> open();
  boost::system::result<void, file_problem> write(const database_change& change) { return database_.write(change); }
  bool is_open() const noexcept { return database_.is_open(); }

  /// Nothing that was decided stands on disk afterwards, also after a power failure. The error is its cause.
  boost::system::result<void, std::string> remove();
  /// The same, and what there is is kept in `quarantine` beside.
  boost::system::result<void, std::string> set_aside();
  /// remove() has a chance.
  bool is_removable() const noexcept;
  const std::filesystem::path& path() const noexcept { return file_; }

 private:
  std::filesystem::path folder() const;
  std::vector<std::filesystem::path> all_files() const;
  boost::system::result<void, file_problem> make();
  void forget_oldest_quarantined() const;

  const std::filesystem::path file_;
  decision_database database_;
};

}  // namespace tankard::cache

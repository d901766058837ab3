#pragma once
// The SQLite database of the decision book, and the only room that knows SQLite. One connection, not thread-safe; every
// call blocks.
//
// Why not write-ahead logging: a damaged or lost log silently ends before the denial it held, and the allow in the
// database counts again. Here a committed denial has overwritten the allow in the one file there is. TRUNCATE, because
// SQLite flushes a truncated journal: one that is unlinked may come back after a power failure and undo the denial.
// secure_delete, so that no former row is left in a page for a flipped bit to point at.

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include <boost/system/result.hpp>

#include "cache/access/decision_seal.hpp"

struct sqlite3;
struct sqlite3_stmt;

namespace tankard::cache {

enum class file_trouble : std::uint8_t {
  damaged,   ///< not a database of ours, or not a whole one
  newer,     ///< a later version's
  moved,     ///< no longer the file that was opened
  unusable,  ///< cannot be opened or written just now
};

struct file_problem {
  file_trouble kind = file_trouble::unusable;
  std::string cause;
};

struct saved_decisions {
  std::vector<decision_row> rows;  ///< sealed, each id once
  std::vector<row_id> bad;         ///< ids of rows without a good seal, or that stand twice
  std::size_t damaged = 0;         ///< so many rows
  std::optional<wall_point> mark;  ///< nullopt: missing, or without a good seal
};

/// In this order, in one transaction.
struct database_change {
  std::vector<row_id> removed;
  std::vector<decision_row> put;
  std::optional<wall_point> forget_denials_before;
  wall_point mark;
};

class decision_database {
 public:
  static constexpr int version = 1;
  static constexpr int application_id = 0x746e6b64;  // "tnkd"

  explicit decision_database(const decision_seal& seal) : seal_(seal) {}
  decision_database(const decision_database&) = delete;
  decision_database& operator=(const decision_database&) = delete;
  ~decision_database() { close(); }

  /// Opens a file that exists, for this process alone; makes the tables where it is empty.
  boost::system::result<saved_decisions, file_problem> open(const std::filesystem::path& file);
  /// All or nothing, and durable.
  boost::system::result<void, file_problem> write(const database_change& change);
  void close() noexcept;
  bool is_open() const noexcept { return db_ != nullptr; }

 private:
  struct failure;  // thrown and caught within this class

  void check(int code) const;
  void run(const char* sql) const;
  sqlite3_stmt* prepare(const char* sql);
  std::string text_of(const char* sql);
  std::int64_t number_of(const char* sql);
  void set_up();
  void prepare_tables();
  saved_decisions read_all();
  std::optional<wall_point> read_mark();
  void apply(const database_change& change);
  void put(const decision_row& row);
  void put_mark(wall_point mark);
  void remove(const row_id& id);
  bool has_moved() const noexcept;

  const decision_seal& seal_;
  sqlite3* db_ = nullptr;
  sqlite3_stmt* put_ = nullptr;
  sqlite3_stmt* remove_ = nullptr;
};

/// A later version's database, by the first bytes of the file alone: nothing of it is touched.
bool is_of_newer_version(const std::filesystem::path& file);

}  // namespace tankard::cache

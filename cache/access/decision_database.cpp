#include "cache/access/decision_database.hpp"

#include <sqlite3.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <fstream>
#include <memory>
#include <string_view>
#include <unordered_set>

namespace tankard::cache {
namespace {

namespace sys = boost::system;

constexpr const char* decision_sql =
    "CREATE TABLE decision(id BLOB NOT NULL PRIMARY KEY, verdict INTEGER NOT NULL, asked_at INTEGER NOT NULL, "
    "mac BLOB NOT NULL) STRICT, WITHOUT ROWID";
constexpr const char* mark_sql =
    "CREATE TABLE mark(one INTEGER PRIMARY KEY, latest INTEGER NOT NULL, mac BLOB NOT NULL) STRICT";
constexpr int wait_for_others_ms = 1000;

struct finalize {
  void operator()(sqlite3_stmt* s) const noexcept { ::sqlite3_finalize(s); }
};
using statement = std::unique_ptr<sqlite3_stmt, finalize>;

wall_point wall_of(std::int64_t n) noexcept { return wall_point(std::chrono::nanoseconds(n)); }
std::int64_t number(wall_point t) noexcept { return t.time_since_epoch().count(); }

std::optional<digest256> digest_at(sqlite3_stmt* s, int column) {
  digest256 out{};
  if (::sqlite3_column_type(s, column) != SQLITE_BLOB) return std::nullopt;
  if (::sqlite3_column_bytes(s, column) != static_cast<int>(out.size())) return std::nullopt;
  std::memcpy(out.data(), ::sqlite3_column_blob(s, column), out.size());
  return out;
}

file_trouble trouble_of(int code) noexcept {
  switch (code & 0xff) {
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
    case SQLITE_MISMATCH:
    case SQLITE_ERROR:  // also "unsupported file format": our own statements are right
      return file_trouble::damaged;
    default:
      return file_trouble::unusable;
  }
}

}  // namespace

struct decision_database::failure {
  file_problem problem;
};

void decision_database::check(int code) const {
  if (code == SQLITE_OK || code == SQLITE_DONE || code == SQLITE_ROW) return;
  std::string cause = db_ == nullptr ? ::sqlite3_errstr(code) : ::sqlite3_errmsg(db_);
  if (db_ != nullptr && ::sqlite3_system_errno(db_) != 0)
    cause += std::string(" (") + std::strerror(::sqlite3_system_errno(db_)) + ")";
  throw failure{{trouble_of(code), std::move(cause)}};
}

void decision_database::run(const char* sql) const { check(::sqlite3_exec(db_, sql, nullptr, nullptr, nullptr)); }

sqlite3_stmt* decision_database::prepare(const char* sql) {
  sqlite3_stmt* made = nullptr;
  check(::sqlite3_prepare_v2(db_, sql, -1, &made, nullptr));
  return made;
}

// The first column of all rows, one a line.
std::string decision_database::text_of(const char* sql) {
  statement const s(prepare(sql));
  std::string out;
  int code = 0;
  while ((code = ::sqlite3_step(s.get())) == SQLITE_ROW) {
    auto const* text = reinterpret_cast<const char*>(::sqlite3_column_text(s.get(), 0));
    out += std::string(text == nullptr ? "" : text) + "\n";
  }
  check(code);
  return out;
}

std::int64_t decision_database::number_of(const char* sql) {
  statement const s(prepare(sql));
  check(::sqlite3_step(s.get()));
  return ::sqlite3_column_int64(s.get(), 0);
}

void decision_database::close() noexcept {
  ::sqlite3_finalize(std::exchange(put_, nullptr));
  ::sqlite3_finalize(std::exchange(remove_, nullptr));
  ::sqlite3_close(std::exchange(db_, nullptr));
}

sys::result<saved_decisions, file_problem> decision_database::open(const std::filesystem::path& file) {
  close();
  try {
    int const flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_PRIVATECACHE;
    check(::sqlite3_open_v2(file.c_str(), &db_, flags, nullptr));
    set_up();
    prepare_tables();
    return read_all();
  } catch (const failure& f) {
    close();
    return f.problem;
  }
}

void decision_database::set_up() {
  ::sqlite3_extended_result_codes(db_, 1);
  ::sqlite3_busy_timeout(db_, wait_for_others_ms);
  // What somebody may have put into the file does nothing.
  ::sqlite3_db_config(db_, SQLITE_DBCONFIG_DEFENSIVE, 1, nullptr);
  ::sqlite3_db_config(db_, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, nullptr);
  ::sqlite3_db_config(db_, SQLITE_DBCONFIG_ENABLE_TRIGGER, 0, nullptr);
  ::sqlite3_db_config(db_, SQLITE_DBCONFIG_ENABLE_VIEW, 0, nullptr);
  run("PRAGMA cell_size_check=ON; PRAGMA mmap_size=0; PRAGMA temp_store=MEMORY; PRAGMA locking_mode=EXCLUSIVE;");
  if (text_of("PRAGMA journal_mode=TRUNCATE") != "truncate\n")
    throw failure{{file_trouble::unusable, "SQLite does not keep a journal here"}};
  run("PRAGMA synchronous=EXTRA; PRAGMA secure_delete=ON;");
  if (number_of("PRAGMA synchronous") != 3 || number_of("PRAGMA secure_delete") != 1)
    throw failure{{file_trouble::unusable, "SQLite does not write durably here"}};
}

void decision_database::prepare_tables() {
  bool const empty = number_of("PRAGMA page_count") == 0;  // a transaction makes it one
  run("BEGIN EXCLUSIVE");
  if (empty) {
    run(("PRAGMA application_id=" + std::to_string(application_id)).c_str());
    run(("PRAGMA user_version=" + std::to_string(version)).c_str());
    run(decision_sql);
    run(mark_sql);
  }
  run("COMMIT");
  if (number_of("PRAGMA application_id") != application_id || number_of("PRAGMA user_version") != version)
    throw failure{{file_trouble::damaged, "it is not a file of decisions"}};
  // Nothing beside our tables: a trigger could keep a denial from being written.
  if (text_of("SELECT ifnull(sql, name) FROM sqlite_schema ORDER BY name") !=
      std::string(decision_sql) + "\n" + mark_sql + "\n")
    throw failure{{file_trouble::damaged, "its tables are not those of a file of decisions"}};
  if (auto const found = text_of("PRAGMA integrity_check(1)"); found != "ok\n")
    throw failure{{file_trouble::damaged, found.substr(0, found.find('\n'))}};
  put_ = prepare(
      "INSERT INTO decision(id, verdict, asked_at, mac) VALUES(?1, ?2, ?3, ?4) ON CONFLICT(id) DO UPDATE SET "
      "verdict=excluded.verdict, asked_at=excluded.asked_at, mac=excluded.mac");
  remove_ = prepare("DELETE FROM decision WHERE id=?1");
}

saved_decisions decision_database::read_all() {
  saved_decisions out;
  std::unordered_set<row_id, row_id_hash> seen;
  std::unordered_set<row_id, row_id_hash> bad;
  statement const s(prepare("SELECT id, verdict, asked_at, mac FROM decision"));
  int code = 0;
  while ((code = ::sqlite3_step(s.get())) == SQLITE_ROW) {
    auto const id = digest_at(s.get(), 0);
    auto const says = ::sqlite3_column_int64(s.get(), 1);
    auto const mac = digest_at(s.get(), 3);
    decision_row const row{id.value_or(row_id{}), says == 1 ? verdict::allow : verdict::deny,
                           wall_of(::sqlite3_column_int64(s.get(), 2))};
    bool const twice = id && !seen.insert(*id).second;
    bool const good = id && mac && (says == 0 || says == 1) && !twice && same_digest(*mac, seal_.of(row));
    if (good) {
      out.rows.push_back(row);
      continue;
    }
    ++out.damaged;
    if (id) bad.insert(*id);
  }
  check(code);
  // Of two rows of one id none counts: which came later is not known.
  std::erase_if(out.rows, [&](const decision_row& row) { return bad.contains(row.id); });
  out.bad.assign(bad.begin(), bad.end());
  out.mark = read_mark();
  return out;
}

std::optional<wall_point> decision_database::read_mark() {
  statement const s(prepare("SELECT latest, mac FROM mark WHERE one=1"));
  int const code = ::sqlite3_step(s.get());
  check(code);
  if (code != SQLITE_ROW) return std::nullopt;
  auto const latest = wall_of(::sqlite3_column_int64(s.get(), 0));
  auto const mac = digest_at(s.get(), 1);
  if (!mac || !same_digest(*mac, seal_.of(latest))) return std::nullopt;
  return latest;
}

sys::result<void, file_problem> decision_database::write(const database_change& change) {
  if (!is_open()) return file_problem{file_trouble::unusable, "it is not open"};
  // SQLite writes on into a file that is nobody's any more, while another stands in its place.
  if (has_moved()) return file_problem{file_trouble::moved, "the file was moved, removed or replaced"};
  try {
    apply(change);
    return {};
  } catch (const failure& f) {
    ::sqlite3_reset(put_);
    ::sqlite3_reset(remove_);
    if (::sqlite3_get_autocommit(db_) == 0) ::sqlite3_exec(db_, "ROLLBACK", nullptr, nullptr, nullptr);
    return f.problem;
  }
}

void decision_database::apply(const database_change& change) {
  run("BEGIN IMMEDIATE");
  for (auto const& id : change.removed) remove(id);
  for (auto const& row : change.put) put(row);
  if (change.forget_denials_before) {
    statement const s(prepare("DELETE FROM decision WHERE verdict=0 AND asked_at<?1"));
    check(::sqlite3_bind_int64(s.get(), 1, number(*change.forget_denials_before)));
    check(::sqlite3_step(s.get()));
  }
  put_mark(change.mark);
  run("COMMIT");
}

void decision_database::put(const decision_row& row) {
  auto const mac = seal_.of(row);
  check(::sqlite3_bind_blob(put_, 1, row.id.data(), static_cast<int>(row.id.size()), SQLITE_STATIC));
  check(::sqlite3_bind_int64(put_, 2, static_cast<std::int64_t>(row.says)));
  check(::sqlite3_bind_int64(put_, 3, number(row.asked_at)));
  check(::sqlite3_bind_blob(put_, 4, mac.data(), static_cast<int>(mac.size()), SQLITE_STATIC));
  check(::sqlite3_step(put_));
  bool const changed = ::sqlite3_changes(db_) == 1;
  check(::sqlite3_reset(put_));
  if (!changed) throw failure{{file_trouble::damaged, "a row was not taken"}};
}

void decision_database::remove(const row_id& id) {
  check(::sqlite3_bind_blob(remove_, 1, id.data(), static_cast<int>(id.size()), SQLITE_STATIC));
  check(::sqlite3_step(remove_));
  check(::sqlite3_reset(remove_));
}

void decision_database::put_mark(wall_point mark) {
  auto const mac = seal_.of(mark);
  statement const s(prepare("INSERT OR REPLACE INTO mark(one, latest, mac) VALUES(1, ?1, ?2)"));
  check(::sqlite3_bind_int64(s.get(), 1, number(mark)));
  check(::sqlite3_bind_blob(s.get(), 2, mac.data(), static_cast<int>(mac.size()), SQLITE_STATIC));
  check(::sqlite3_step(s.get()));
}

bool decision_database::has_moved() const noexcept {
  int moved = 0;
  return ::sqlite3_file_control(db_, "main", SQLITE_FCNTL_HAS_MOVED, &moved) != SQLITE_OK || moved != 0;
}

// https://sqlite.org/fileformat.html, "The Database Header".
bool is_of_newer_version(const std::filesystem::path& file) {
  std::array<unsigned char, 100> head{};
  std::ifstream in(file, std::ios::binary);
  if (!in.read(reinterpret_cast<char*>(head.data()), head.size())) return false;
  auto const number_at = [&](std::size_t at) {
    std::uint32_t n = 0;
    for (std::size_t i = 0; i < 4; ++i) n = n << 8 | head[at + i];
    return static_cast<std::int32_t>(n);
  };
  constexpr std::string_view magic("SQLite format 3\0", 16);
  return std::memcmp(head.data(), magic.data(), magic.size()) == 0 &&
         number_at(68) == decision_database::application_id && number_at(60) > decision_database::version;
}

}  // namespace tankard::cache

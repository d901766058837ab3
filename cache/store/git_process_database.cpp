#include "cache/store/git_process_database.hpp"

#include <charconv>
#include <utility>

#include "cache/io/blocking_child.hpp"
#include "cache/store/git_child.hpp"
#include "cache/store/pack_index.hpp"
#include "cache/store/store_errc.hpp"

namespace tankard::cache {
namespace {

namespace fs = std::filesystem;
using protocol::object_id;

constexpr auto format = protocol::object_format::sha256;
constexpr std::chrono::seconds last_words_wait{5};  // for the end of a child that closed its output
const auto broken_pipe = boost::system::errc::make_error_code(boost::system::errc::broken_pipe);

struct object_head {
  object_kind kind = object_kind::blob;
  std::size_t size = 0;
};

std::optional<object_kind> kind_named(std::string_view name) {
  if (name == "commit") return object_kind::commit;
  if (name == "tree") return object_kind::tree;
  if (name == "blob") return object_kind::blob;
  if (name == "tag") return object_kind::tag;
  return std::nullopt;
}

/// "<oid> <kind> <size>", as cat-file says it by default.
std::optional<object_head> parse_head(std::string_view line, const std::string& oid) {
  if (!line.starts_with(oid + ' ')) return std::nullopt;
  line.remove_prefix(oid.size() + 1);
  auto const space = line.find(' ');
  auto const kind = kind_named(line.substr(0, space));
  if (!kind || space == line.npos) return std::nullopt;
  object_head head{*kind, 0};
  auto const number = line.substr(space + 1);
  auto const read = std::from_chars(number.data(), number.data() + number.size(), head.size);
  if (read.ec != std::errc() || read.ptr != number.data() + number.size()) return std::nullopt;
  return head;
}

class git_process_database final : public object_database {
 public:
  git_process_database(fs::path folder, pack_indexes indexes, const git_process_limits& limits)
      : folder_(std::move(folder)), indexes_(std::move(indexes)), limits_(limits) {}

  bool is_broken() const noexcept override { return !broken_.empty(); }

  git_result<void> refresh() override {
    auto indexes = pack_indexes::open(folder_ / "objects" / "pack", format);
    if (!indexes) return "cannot refresh: " + indexes.error().message();
    indexes_ = std::move(*indexes);
    return {};
  }

  bool has(const object_id& oid) override { return indexes_.names(oid); }

  git_result<object_kind> kind_of(const object_id& oid) override {
    auto const head = ask("info", oid);
    if (!head) return head.error();
    return head->kind;
  }

  git_result<object_content> read(const object_id& oid) override {
    auto const head = ask("contents", oid);
    if (!head) return head.error();
    if (head->size > max_read_bytes) {
      reader_.reset();  // rather than read what it is about to say
      return "object " + oid.hex() + " is too large";
    }
    auto const bytes = reader_->read_exactly(head->size + 1, answer_end());
    if (!bytes) return reader_failed(bytes.error());
    return object_content(bytes->data(), head->size);  // without the LF behind it
  }

  git_result<std::vector<object_id>> ancestors_among(const std::vector<object_id>& commits,
                                                     const std::unordered_set<object_id>& wanted,
                                                     const walk_end& end) override {
    std::vector<object_id> found;
    if (commits.empty() || wanted.empty()) return found;
    auto const until = std::min(end.until(), std::chrono::steady_clock::now() + limits_.walk);
    auto const walk = start({"rev-list", "--stdin"});
    if (!walk) return walk.error();
    auto& child = **walk;
    std::string input;
    for (auto const& commit : commits) input.append(commit.hex()) += '\n';
    if (auto const written = child.write(input, until); !written) return failure(child, "rev-list", written.error());
    child.close_stdin();
    while (found.size() < wanted.size()) {
      auto const line = child.read_line(until);
      if (!line) return failure(child, "rev-list", line.error());
      if (!*line) return ended(child, until, std::move(found));
      auto const oid = object_id::from_hex(**line);
      if (oid && wanted.contains(*oid)) found.push_back(*oid);
    }
    return found;  // the child goes with its walk
  }

 private:
  using child_ptr = std::unique_ptr<blocking_child>;

  std::chrono::steady_clock::time_point answer_end() const { return std::chrono::steady_clock::now() + limits_.answer; }

  git_result<child_ptr> start(std::vector<std::string> arguments) {
    if (is_broken()) return broken_;
    ingest_limits limits;
    limits.max_memory = limits_.max_memory;
    auto const name = arguments.front();
    auto child = blocking_child::spawn(
        git_command(limits, 1, std::move(arguments), repository_environment(folder_, {})), &walks_stopped);
    if (child) return std::move(*child);
    broken_ = "cannot start git " + name + ": " + child.error().message();
    return broken_;
  }

  /// What git says of its end counts more than what we saw of it. The child is of no use any more.
  std::string failure(blocking_child& child, std::string_view name, const boost::system::error_code& seen) {
    auto const now = std::chrono::steady_clock::now();
    bool const stopped = seen == boost::system::errc::operation_canceled;
    bool const hangs = stopped || seen == boost::system::errc::timed_out;
    auto const status = child.wait(hangs ? now : now + last_words_wait);
    auto out = "git " + std::string(name) + " failed (" + (status ? status->text() : seen.message()) + ')';
    if (auto const words = child.last_words(); !words.empty()) out += ": " + words;
    if (hangs) broken_ = out;
    return out;
  }

  std::string reader_failed(const boost::system::error_code& seen) {
    auto const child = std::exchange(reader_, nullptr);
    return failure(*child, "cat-file", seen);
  }

  git_result<std::vector<object_id>> ended(blocking_child& walk, std::chrono::steady_clock::time_point until,
                                           std::vector<object_id> found) {
    auto const status = walk.wait(until);
    if (status && status->ok()) return found;
    return failure(walk, "rev-list", broken_pipe);
  }

  /// The answer's first line. After any failure the next question gets a child of its own.
  git_result<object_head> ask(const char* word, const object_id& oid) {
    if (!has(oid)) return "object " + oid.hex() + " is missing";  // git would look for it in packs yet to come
    if (is_broken()) return broken_;
    if (!reader_) {
      auto started = start({"cat-file", "--batch-command"});
      if (!started) return started.error();
      reader_ = std::move(*started);
    }
    auto const until = answer_end();
    auto const written = reader_->write(std::string(word) + ' ' + oid.hex() + '\n', until);
    if (!written) return reader_failed(written.error());
    auto const line = reader_->read_line(until);
    if (!line) return reader_failed(line.error());
    if (!*line) return reader_failed(broken_pipe);
    if (auto const head = parse_head(**line, oid.hex())) return *head;
    reader_.reset();
    return "cannot read an object: " + **line;
  }

  const fs::path folder_;
  pack_indexes indexes_;
  const git_process_limits limits_;
  child_ptr reader_;    // git cat-file, between two questions; null before the first and after a failure
  std::string broken_;  // why nothing is asked any more; empty while all is well
};

}  // namespace

git_result<object_database_ptr> open_git_process_database(const fs::path& folder, const git_process_limits& limits) {
  auto indexes = pack_indexes::open(folder / "objects" / "pack", format);
  if (!indexes) return "cannot open the repository: " + indexes.error().message();
  return object_database_ptr(std::make_unique<git_process_database>(folder, std::move(*indexes), limits));
}

boost::system::result<void> probe_git_directory(const fs::path& folder) {
  for (auto const* needed : {"objects", "refs"}) {
    std::error_code ec;
    bool const there = fs::is_directory(folder / needed, ec);
    if (ec) return damage_or(ec, store_errc::unreadable);
    if (!there) return store_errc::unreadable;
  }
  return {};
}

}  // namespace tankard::cache

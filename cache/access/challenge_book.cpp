#include "cache/access/challenge_book.hpp"

#include <openssl/evp.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <optional>
#include <stdexcept>
#include <system_error>
#include <utility>

#include "cache/io/atomic_file.hpp"
#include "cache/repo_key.hpp"

namespace tankard::cache {
namespace {

namespace fs = std::filesystem;
namespace sys = boost::system;

constexpr std::string_view suffix = ".challenge";
constexpr std::string_view first_line = "tankard challenge v1\n";
constexpr std::size_t max_name = 1024;
constexpr std::size_t max_file = challenge_book::max_bytes + challenge_book::max_challenges + max_name + 256;

bool has_control(std::string_view text) noexcept {
  return std::ranges::any_of(text, [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; });
}

bool fits(const std::vector<std::string>& lines) noexcept {
  std::size_t bytes = 0;
  for (auto const& line : lines) bytes += line.size();
  return lines.size() <= challenge_book::max_challenges && bytes <= challenge_book::max_bytes;
}

std::string sha256_hex(std::string_view text) {
  storage_digest out{};
  if (::EVP_Digest(text.data(), text.size(), out.data(), nullptr, ::EVP_sha256(), nullptr) != 1)
    throw std::runtime_error("SHA-256 failed");
  return storage_id(out);
}

// first line, upstream, one challenge a line, SHA-256 of all that.
std::string encode(const std::string& upstream, const std::vector<std::string>& lines) {
  std::string text(first_line);
  text += upstream + "\n";
  for (auto const& line : lines) text += line + "\n";
  return text + sha256_hex(text) + "\n";
}

struct decoded {
  std::string upstream;
  std::vector<std::string> lines;
};

std::optional<decoded> decode(std::string_view text) {
  constexpr std::size_t sum_size = 65;
  if (text.size() < first_line.size() + sum_size || !text.ends_with('\n')) return std::nullopt;
  auto const sum = text.substr(text.size() - sum_size, sum_size - 1);
  text.remove_suffix(sum_size);
  if (!text.starts_with(first_line) || !text.ends_with('\n') || sha256_hex(text) != sum) return std::nullopt;
  text.remove_prefix(first_line.size());
  decoded out;
  for (bool named = false; !text.empty(); named = true) {
    auto const line = text.substr(0, text.find('\n'));
    text.remove_prefix(line.size() + 1);
    if (has_control(line)) return std::nullopt;
    if (named)
      out.lines.emplace_back(line);
    else
      out.upstream = line;
  }
  if (out.lines.empty() || !fits(out.lines)) return std::nullopt;
  return out;
}

}  // namespace

challenge_book::challenge_book(fs::path folder, problem_sink problems)
    : folder_(std::move(folder)), problems_(std::move(problems)) {}

// The digest, because a configured name may hold what a file's name may not.
fs::path challenge_book::file_of(const std::string& upstream) const {
  return folder_ / (sha256_hex(upstream) + std::string(suffix));
}

void challenge_book::tell(const std::string& what, const std::string& cause) const {
  if (problems_) problems_(what, cause);
}

void challenge_book::load() {
  std::error_code error;
  fs::directory_iterator it(folder_, error);
  if (error == std::errc::no_such_file_or_directory) return;
  for (; !error && it != fs::directory_iterator(); it.increment(error)) {
    auto const name = it->path().filename().string();
    if (name.ends_with(temp_suffix)) {
      std::error_code ignored;
      fs::remove(it->path(), ignored);
    }
    if (name.ends_with(suffix)) load_one(it->path());
  }
  if (error) tell("cannot read the folder of challenges " + folder_.string(), error.message());
}

void challenge_book::load_one(const fs::path& file) {
  auto const text = read_file(file, max_file);
  if (!text) return tell("cannot read the challenge in " + file.string(), text.error().message());
  auto read = decode(*text);
  if (!read || file_of(read->upstream) != file)
    return tell("the challenge in " + file.string() + " is ignored", "the file is damaged");
  std::lock_guard const l(mu_);
  if (known_.size() < max_upstreams) known_[read->upstream] = {std::move(read->lines), true, {}};
}

std::vector<std::string> challenge_book::of(const std::string& upstream) const {
  std::lock_guard const l(mu_);
  auto const found = known_.find(upstream);
  return found == known_.end() ? std::vector<std::string>{} : found->second.lines;
}

void challenge_book::remember(const std::string& upstream, std::vector<std::string> lines) {
  std::erase_if(lines, [](const std::string& line) { return line.empty() || has_control(line); });
  if (lines.empty() || !fits(lines) || upstream.size() > max_name || has_control(upstream)) return;
  {
    std::lock_guard const l(mu_);
    if (!known_.contains(upstream) && known_.size() >= max_upstreams) return;
    auto& known = known_[upstream];
    bool const same = known.lines == lines;
    if (same && (known.on_disk || steady::now() < known.retry_at)) return;
    if (!same) known = {std::move(lines), false, {}};
    known.retry_at = steady::now() + retry_after;  // nobody else tries meanwhile
  }
  write(upstream);
}

void challenge_book::write(const std::string& upstream) {
  std::lock_guard const turn(writing_);
  std::vector<std::string> const lines = of(upstream);
  auto const file = file_of(upstream);
  auto const written = put(file, encode(upstream, lines));
  if (!written)
    return tell("cannot write the challenge of " + upstream + " to " + file.string(), written.error().message());
  std::lock_guard const l(mu_);
  auto& known = known_[upstream];
  known.on_disk = known.lines == lines;
}

sys::result<void> challenge_book::put(const fs::path& file, std::string_view text) const {
  std::error_code error;
  fs::create_directories(folder_.parent_path(), error);
  if (error) return sys::error_code(error);
  if (::mkdir(folder_.c_str(), 0700) != 0 && errno != EEXIST) return sys::error_code(errno, sys::system_category());
  return write_file_atomically(file, text, 0600);
}

}  // namespace tankard::cache

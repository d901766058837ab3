#include "cache/store/git_child.hpp"

#include <algorithm>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>

namespace tankard::cache {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t mebibyte = std::size_t{1} << 20;

}  // namespace

std::vector<std::string> git_limit_options(std::size_t max_memory, int threads) {
  std::vector<std::string> out{"-c", "pack.threads=" + std::to_string(threads)};
  if (max_memory == 0) return out;
  auto const add = [&](const char* name, std::size_t share, std::size_t most) {
    out.insert(out.end(), {"-c", std::string(name) + '=' + std::to_string(std::min(max_memory / share, most))});
  };
  add("core.packedGitLimit", 4, max_memory);  // packs are mapped window by window; the default window is a gibibyte
  add("core.packedGitWindowSize", 16, 32 * mebibyte);
  add("core.deltaBaseCacheLimit", 16, 96 * mebibyte);
  add("core.bigFileThreshold", 16, 512 * mebibyte);  // larger blobs are streamed, not held
  add("pack.windowMemory", 16, 256 * mebibyte);
  add("pack.deltaCacheSize", 16, 64 * mebibyte);
  return out;
}

spawn_options git_command(const ingest_limits& limits, int threads, std::vector<std::string> arguments,
                          std::vector<std::string> environment) {
  spawn_options o;
  o.argv = {"git"};
  auto const options = git_limit_options(limits.max_memory, threads);
  o.argv.insert(o.argv.end(), options.begin(), options.end());
  o.argv.insert(o.argv.end(), arguments.begin(), arguments.end());
  o.environment = git_environment();
  o.environment.insert(o.environment.end(), environment.begin(), environment.end());
  o.max_memory = limits.max_memory;
  o.inherit_fd = limits.lock_fd;
  return o;
}

std::string alternate_environment(const std::filesystem::path& objects) {
  std::string out = "GIT_ALTERNATE_OBJECT_DIRECTORIES=\"";  // C-quoted: the path may hold a colon
  for (char const c : objects.string()) {
    if (c == '"' || c == '\\') out += '\\';
    out += c;
  }
  return out + '"';
}

std::vector<std::string> repository_environment(const std::filesystem::path& folder,
                                                const std::filesystem::path& staged_objects) {
  std::vector<std::string> out{"GIT_DIR=" + folder.string()};
  if (staged_objects.empty()) return out;
  out.push_back("GIT_OBJECT_DIRECTORY=" + staged_objects.string());
  out.push_back(alternate_environment(folder / "objects"));
  return out;
}

struct watched_child::watch : std::enable_shared_from_this<watch> {
  watch(const asio::any_io_executor& ex, subprocess* c, std::chrono::seconds s) : timer(ex), child(c), stall(s) {}
  void start() {
    cpu = child->cpu_time();
    timer.expires_after(stall);
    timer.async_wait([self = shared_from_this()](error_code ec) {
      if (!ec && self->child != nullptr) self->tick();
    });
  }
  void stop() { timer.cancel(); }
  void tick() {
    if (child->cpu_time() != cpu) return start();
    stalled = true;
    child->kill();
  }
  asio::steady_timer timer;
  subprocess* child;  // null once the owner is gone
  const std::chrono::seconds stall;
  std::chrono::nanoseconds cpu{0};
  bool stalled = false;
};

watched_child::watched_child(std::unique_ptr<subprocess> child, std::shared_ptr<watch> w, std::string name)
    : child_(std::move(child)), watch_(std::move(w)), name_(std::move(name)) {}

watched_child::~watched_child() {
  watch_->child = nullptr;
  watch_->stop();
}

ingest_result<std::unique_ptr<watched_child>> watched_child::spawn(asio::any_io_executor ex,
                                                                   const spawn_options& options,
                                                                   std::chrono::seconds stall) {
  std::string name = "git";
  for (std::size_t i = 1; i < options.argv.size(); i += options.argv[i] == "-c" ? 2 : 1)
    if (options.argv[i] != "-c") {
      name += ' ' + options.argv[i];
      break;
    }
  auto child = subprocess::spawn(ex, options);
  if (!child) return "cannot start " + name + ": " + child.error().message();
  auto w = std::make_shared<watch>(ex, child->get(), stall);
  return std::unique_ptr<watched_child>(new watched_child(std::move(*child), std::move(w), std::move(name)));
}

awaitable<ingest_result<void>> watched_child::write(std::string_view bytes) {
  watch_->start();
  auto const written = co_await child_->write_stdin(asio::buffer(bytes));
  watch_->stop();
  if (written) co_return ingest_result<void>{};
  auto const ended = co_await finish();  // git's own words say more than "broken pipe"
  co_return ended ? name_ + " did not read all of its input" : ended.error();
}

void watched_child::kill() noexcept { child_->kill(); }

awaitable<ingest_result<void>> watched_child::finish(std::string* output) {
  child_->close_stdin();
  std::string buffer(4096, '\0');
  watch_->start();
  for (;;) {
    auto const n = co_await child_->read_stdout(asio::buffer(buffer));
    if (!n || *n == 0) break;
    if (output != nullptr && output->size() + *n <= max_child_output) output->append(buffer, 0, *n);
    watch_->start();
  }
  status_ = co_await child_->wait(std::chrono::hours(8760));  // the watch ends it where it hangs
  watch_->stop();
  if (status_.ok() && !watch_->stalled) co_return ingest_result<void>{};
  co_return failure();
}

std::string watched_child::failure() const {
  auto out = name_ + " failed (" + (watch_->stalled ? "no progress, killed" : status_.text()) + ")";
  if (auto const words = child_->stderr_tail(); !words.empty()) out += ": " + words;
  return out;
}

}  // namespace tankard::cache

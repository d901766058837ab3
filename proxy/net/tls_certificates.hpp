#pragma once
// The certificate that a listener shows now, and how the next one takes its place.
//
// Life: loaded at start -> looked at every few seconds and on SIGHUP -> a new one is made beside and checked -> swapped
// for new connections; those that stand keep theirs. One that cannot be used changes nothing.
// context() and the numbers are thread-safe; look() blocks, and is called by one thread at a time.

#include <sys/types.h>

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>

#include "proxy/net/tls_server.hpp"

namespace tankard::proxy::net {

class tls_certificates {
 public:
  /// The error says why they cannot be used, and names the file.
  static boost::system::result<std::unique_ptr<tls_certificates>, std::string> open(tls_files files);

  std::shared_ptr<asio::ssl::context> context() const;
  std::string subject() const;
  std::chrono::system_clock::time_point expires() const;

  enum class result : std::uint8_t {
    unchanged,
    reloaded,
    failed,        ///< the old one stays
    still_failed,  ///< as at the last look, and told of then
  };
  struct finding {
    result what = result::unchanged;
    std::string cause = {};
  };
  /// Takes the files anew where they are other ones than at the last look (also behind a symbolic link, as Kubernetes
  /// swaps them), or failed then, or `forced`.
  finding look(bool forced);

  std::uint64_t reloaded() const noexcept { return reloaded_.load(); }
  std::uint64_t failed() const noexcept { return failed_.load(); }

 private:
  /// What tells one state of a file from another; all zero where there is none.
  struct stamp {
    dev_t device = 0;
    ino_t inode = 0;
    off_t size = 0;
    std::int64_t modified = 0, changed = 0;  ///< ns
    friend bool operator==(const stamp&, const stamp&) = default;
  };
  using stamps = std::array<stamp, 3>;

  tls_certificates(tls_files files, stamps seen, tls_identity now);
  static stamps stamps_of(const tls_files& files);
  static stamp stamp_of(const std::filesystem::path& file);

  const tls_files files_;
  stamps seen_;             // at the last look
  std::string last_cause_;  // of a look that failed; empty after a good one
  mutable std::mutex mutex_;
  tls_identity now_;  // guarded by mutex_
  std::atomic<std::uint64_t> reloaded_{0};
  std::atomic<std::uint64_t> failed_{0};
};

}  // namespace tankard::proxy::net

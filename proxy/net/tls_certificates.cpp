#include "proxy/net/tls_certificates.hpp"

#include <sys/stat.h>

#include <utility>

namespace tankard::proxy::net {

tls_certificates::stamp tls_certificates::stamp_of(const std::filesystem::path& file) {
  constexpr std::int64_t second = 1'000'000'000;
  struct stat st {};
  if (file.empty() || ::stat(file.c_str(), &st) != 0) return {};
  return {st.st_dev, st.st_ino, st.st_size, st.st_mtim.tv_sec * second + st.st_mtim.tv_nsec,
          st.st_ctim.tv_sec * second + st.st_ctim.tv_nsec};
}

tls_certificates::stamps tls_certificates::stamps_of(const tls_files& files) {
  return {stamp_of(files.certificate), stamp_of(files.key), stamp_of(files.client_ca)};
}

tls_certificates::tls_certificates(tls_files files, stamps seen, tls_identity now)
    : files_(std::move(files)), seen_(seen), now_(std::move(now)) {}

boost::system::result<std::unique_ptr<tls_certificates>, std::string> tls_certificates::open(tls_files files) {
  auto const seen = stamps_of(files);  // before reading: what changes meanwhile is seen at the next look
  auto first = load_tls_identity(files);
  if (!first) return first.error();
  return std::unique_ptr<tls_certificates>(new tls_certificates(std::move(files), seen, std::move(*first)));
}

std::shared_ptr<asio::ssl::context> tls_certificates::context() const {
  const std::lock_guard lock(mutex_);
  return now_.context;
}

std::string tls_certificates::subject() const {
  const std::lock_guard lock(mutex_);
  return now_.subject;
}

std::chrono::system_clock::time_point tls_certificates::expires() const {
  const std::lock_guard lock(mutex_);
  return now_.expires;
}

tls_certificates::finding tls_certificates::look(bool forced) {
  auto const stamps = stamps_of(files_);
  bool const changed = stamps != seen_;
  if (!changed && !forced && last_cause_.empty()) return {};
  seen_ = stamps;
  auto next = load_tls_identity(files_);
  if (!next) {
    bool const told = !changed && !forced && next.error() == last_cause_;
    last_cause_ = next.error();
    if (told) return {result::still_failed, last_cause_};
    ++failed_;
    return {result::failed, last_cause_};
  }
  last_cause_.clear();
  {
    const std::lock_guard lock(mutex_);
    std::swap(now_, *next);  // the old one goes outside the lock
  }
  ++reloaded_;
  return {result::reloaded};
}

}  // namespace tankard::proxy::net

#include "proxy/http/inflate.hpp"

#include <array>
#include <new>

namespace tankard::proxy::http {
namespace {

constexpr int gzip_only = 16 + MAX_WBITS;

}  // namespace

gzip_inflater::gzip_inflater() {
  if (inflateInit2(&stream_, gzip_only) != Z_OK) throw std::bad_alloc();
}

gzip_inflater::~gzip_inflater() { inflateEnd(&stream_); }

gzip_inflater::status gzip_inflater::feed(std::string_view piece, const std::function<bool(std::string_view)>& sink) {
  if (done_) return piece.empty() ? status::done : status::corrupt;
  std::array<char, 16u << 10> out;
  // zlib's interface takes the input as non-const unless ZLIB_CONST is defined; it does not write to it.
  stream_.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(piece.data()));
  stream_.avail_in = static_cast<uInt>(piece.size());
  while (true) {
    stream_.next_out = reinterpret_cast<Bytef*>(out.data());
    stream_.avail_out = static_cast<uInt>(out.size());
    const int result = ::inflate(&stream_, Z_NO_FLUSH);
    if (result != Z_OK && result != Z_STREAM_END && result != Z_BUF_ERROR) return status::corrupt;
    const std::size_t made = out.size() - stream_.avail_out;
    if (made > 0 && !sink(std::string_view(out.data(), made))) return status::stopped;
    if (result == Z_STREAM_END) {
      done_ = true;
      return stream_.avail_in == 0 ? status::done : status::corrupt;
    }
    if (stream_.avail_out > 0) return status::more;  // nothing left inside
  }
}

}  // namespace tankard::proxy::http

#pragma once
// gzip, piece by piece (RFC 1952). One member; anything behind it is an error. Not thread-safe.

#include <zlib.h>

#include <cstdint>
#include <functional>
#include <string_view>

namespace tankard::proxy::http {

class gzip_inflater {
 public:
  enum class status : std::uint8_t {
    more,     ///< all of the piece was taken
    done,     ///< the member ended, its checksum is right
    corrupt,  ///< not gzip, a wrong checksum, or bytes behind the end
    stopped,  ///< the sink wants no more
  };

  gzip_inflater();  ///< throws std::bad_alloc
  ~gzip_inflater();
  gzip_inflater(const gzip_inflater&) = delete;
  gzip_inflater& operator=(const gzip_inflater&) = delete;

  /// Inflates `piece` and gives what comes of it to `sink` in parts of at most 16 KiB; it returns false to stop.
  status feed(std::string_view piece, const std::function<bool(std::string_view)>& sink);
  bool done() const noexcept { return done_; }

 private:
  z_stream stream_{};
  bool done_ = false;
};

}  // namespace tankard::proxy::http

#include "cache/packs/answer_digest.hpp"

#include "cache/io/file_digest.hpp"

namespace tankard::cache {

namespace sys = boost::system;

void answer_digest::feed(std::string_view bytes) {
  all_.update(bytes);
  while (readable_ && !bytes.empty()) {
    auto const event = reader_.next(bytes);
    readable_ = event.has_value();
    if (!readable_) return;
    if (event->kind == protocol::fetch_event_kind::pack) pack_.update(event->data);
    bytes.remove_prefix(event->consumed);
  }
}

sys::result<sha256_digest> answer_digest::finish() {
  if (!readable_ || !pack_.whole()) return make_error_code(sys::errc::bad_message);
  return all_.finish();
}

sys::result<sha256_digest> digest_answer(int fd, std::uint64_t size, protocol::object_format format,
                                         const protocol::answer_form& form) {
  answer_digest digest(format, form);
  auto const read = read_through(fd, size, [&digest](std::string_view bytes) { digest.feed(bytes); });
  if (!read) return read.error();
  return digest.finish();
}

}  // namespace tankard::cache

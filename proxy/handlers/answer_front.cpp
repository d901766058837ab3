#include "proxy/handlers/answer_front.hpp"

namespace tankard::proxy::handlers {
namespace {

constexpr std::size_t peeked = 16u << 10;
constexpr std::size_t err_pkt_front = 8;  // length and "ERR "
/// What advertisements begin with (gitprotocol-http "Smart Server Response"), whatever they say then.
constexpr std::string_view service_header = "001e# service=git-upload-pack\n0000";

/// How many bytes tell, as far as is known from these.
std::size_t telling(std::string_view front) noexcept {
  bool const advertises = service_header.starts_with(front.substr(0, service_header.size()));
  return err_pkt_front + (advertises ? service_header.size() : 0);
}

}  // namespace

bool says_no(std::string_view front) noexcept {
  if (front.starts_with(service_header)) front.remove_prefix(service_header.size());
  return front.size() >= err_pkt_front && front.substr(4, 4) == "ERR ";
}

awaitable<upstream::outcome_of<void>> peek(upstream::call& call, std::string& front) {
  std::string piece(peeked, '\0');
  while (front.size() < telling(front)) {
    auto const n = co_await call.read(asio::buffer(piece));
    if (!n) co_return n.error();
    if (*n == 0) break;
    front.append(piece, 0, *n);
  }
  co_return upstream::outcome_of<void>();
}

}  // namespace tankard::proxy::handlers

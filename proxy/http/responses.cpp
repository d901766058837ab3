#include "proxy/http/responses.hpp"

#include <string>
#include <utility>

#include "proxy/http/headers.hpp"

namespace tankard::proxy::http {

using field = boost::beast::http::field;

awaitable<boost::system::result<void>> respond_text(exchange& x, unsigned status, std::string_view sentence) {
  fields headers;
  co_return co_await respond_text(x, status, sentence, std::move(headers));
}

awaitable<boost::system::result<void>> respond_text(exchange& x, unsigned status, std::string_view sentence,
                                                    fields headers) {
  headers.set(field::content_type, plain_text_type);
  add_no_cache(headers);
  std::string body(sentence);
  if (!body.ends_with('\n')) body += '\n';
  co_return co_await x.respond(status, std::move(headers), body);
}

awaitable<boost::system::result<void>> respond_git_error(exchange& x, std::string_view content_type,
                                                         std::string_view err_pkt_line) {
  fields headers;
  headers.set(field::content_type, content_type);
  add_no_cache(headers);
  co_return co_await x.respond(200, std::move(headers), err_pkt_line);
}

}  // namespace tankard::proxy::http

#pragma once
// Whole answers that several handlers give, and git's content types.

#include <string_view>

#include "proxy/http/exchange.hpp"

namespace tankard::proxy::http {

inline constexpr std::string_view upload_pack_advertisement_type = "application/x-git-upload-pack-advertisement";
inline constexpr std::string_view upload_pack_request_type = "application/x-git-upload-pack-request";
inline constexpr std::string_view upload_pack_result_type = "application/x-git-upload-pack-result";
inline constexpr std::string_view receive_pack_advertisement_type = "application/x-git-receive-pack-advertisement";
inline constexpr std::string_view receive_pack_request_type = "application/x-git-receive-pack-request";
inline constexpr std::string_view receive_pack_result_type = "application/x-git-receive-pack-result";
inline constexpr std::string_view plain_text_type = "text/plain; charset=utf-8";

/// One sentence as text/plain, which git shows as `remote:`; no-cache. A missing line end is added. `sentence` must
/// live until the call returns.
awaitable<boost::system::result<void>> respond_text(exchange& x, unsigned status, std::string_view sentence);
/// The same with more headers (Retry-After, WWW-Authenticate, Cache-Status).
awaitable<boost::system::result<void>> respond_text(exchange& x, unsigned status, std::string_view sentence,
                                                    fields headers);

/// 200 with a content type of git and `err_pkt_line`, one ready pkt-line (`ERR ...`), as the body: git prints it as a
/// fatal remote error. no-cache. `err_pkt_line` must live until the call returns.
awaitable<boost::system::result<void>> respond_git_error(exchange& x, std::string_view content_type,
                                                         std::string_view err_pkt_line);

}  // namespace tankard::proxy::http

#pragma once
// One response that is written to a file once while many read it from byte 0.
//
// Life: spool_writer::create -> followers join and leave at any time, bytes are appended -> sealed | failed -> the file
// is gone with the last holder (spool_ptr, writer, follower); that of a failed one with its last follower.
// One that finds no room on the disk becomes a window while it is written: what all its followers have read is given
// back to the file system, so that it goes on in the room there is. Nobody can join it, and it is not kept: the file of
// a sealed one is gone with its last follower too.
// The file has no name (O_TMPFILE, or unlinked at once): a crash leaves nothing behind.
// Memory: none but the callers' buffers. Followers read the page cache on their own loop without ever blocking
// (RWF_NOWAIT; at the tip the bytes were written a moment ago), and on the pool what is not in it or where the file
// system cannot tell.
// Locks are never held over I/O or a wait. Who waits is woken on his own executor, by a post to it; a spool wakes only
// those who wait. REQUIRES: executors of one thread each, or strands; pool and budget outlive every spool.

#include <boost/asio/buffer.hpp>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "cache/io/asio.hpp"
#include "cache/io/async_event.hpp"
#include "cache/io/blocking_pool.hpp"
#include "cache/spool/spool_budget.hpp"
#include "cache/spool/worth_finishing.hpp"

namespace tankard::cache {

/// How a spool ended.
enum class spool_end : std::uint8_t {
  sealed,
  failed,  ///< whoever follows must break off
};

struct spool_options {
  std::filesystem::path folder;           ///< made (0700) where it is missing; its parent must be there
  std::uint64_t max_bytes = 0;            ///< of this spool; an append beyond it fails with file_too_large
  std::uint64_t max_lead = 8u << 20;      ///< bytes it may be ahead of its fastest follower whatever the budget says
  std::optional<std::uint64_t> total{};   ///< bytes of the whole, where they are known (Content-Length)
  std::uint64_t max_alone = 64u << 20;    ///< of unknown total: bytes it goes on for when all followers have gone
  bool finish_without_followers = false;  ///< go on when all followers have gone, whatever worth_finishing() says
  /// An append that finds no room makes it a window, where somebody follows and has something to read; false: fails.
  bool window_when_full = true;
  /// Of a window: who held others up for so long, who had read all there was, is dropped; and an append fails that
  /// found no room for so long though all was read and given back. One follower alone takes its own time.
  std::chrono::steady_clock::duration window_patience = std::chrono::seconds(5);
};

/// Most bytes that are written, published or read at a time. Where no append() is longer, every size() that is seen is
/// the end of one: a follower at size() stands where a pkt-line ends if every append() ends there.
inline constexpr std::size_t spool_piece = 256u << 10;

class spool;
using spool_ptr = std::shared_ptr<spool>;

/// One reader, from byte 0. Used by one coroutine, on any executor; leaves by being destroyed.
class spool_follower {
 public:
  struct piece {
    std::size_t bytes = 0;
    bool at_end = false;  ///< sealed, and all of it was read before: `bytes` is 0
  };
  using duration = std::chrono::steady_clock::duration;

  ~spool_follower();
  spool_follower(const spool_follower&) = delete;
  spool_follower& operator=(const spool_follower&) = delete;

  /// Waits for bytes, at most for `limit`; gives what there is, at most what fits. An empty piece that is not at_end
  /// says that nothing came in time. An empty buffer gets one at once.
  /// Errors: connection_aborted once all was read that was published before the spool failed (cause() tells why);
  /// no_space_on_device where it was dropped for holding others up (spool_options::window_patience);
  /// operation_canceled where this coroutine was cancelled while it waited; those of the file.
  awaitable<boost::system::result<piece>> read(asio::mutable_buffer into, duration limit = duration::max());
  std::uint64_t position() const noexcept { return position_; }
  const spool_ptr& followed() const noexcept { return spool_; }

 private:
  friend class spool;
  explicit spool_follower(spool_ptr s);
  awaitable<bool> wait_for_news(wake_timer::time_point until);

  spool_ptr spool_;
  std::uint64_t position_ = 0;         // changed under the spool's lock, read by this coroutine without
  bool dropped_ = false;               // guarded by the spool's lock, as the next two
  bool holds_up_ = false;              // others, since the writer of a window began to wait
  duration held_up_{};                 // so long so far, since it last had read all
  std::shared_ptr<wake_timer> timer_;  // made at the first wait
};

/// What everybody may ask of a spool. Thread-safe.
class spool : public std::enable_shared_from_this<spool> {
 public:
  ~spool();

  /// nullptr once it failed, or is a window.
  std::unique_ptr<spool_follower> follow();
  std::size_t followers() const;
  std::uint64_t size() const;  ///< bytes published so far
  std::optional<spool_end> end() const;
  bool ended() const { return end().has_value(); }
  std::string cause() const;  ///< of the failure; empty without one
  bool windowed() const;      ///< for good
  /// Set once it has ended, and one who follows has read it all or nobody follows (any more). Whoever does not want
  /// to wait for that sets it himself.
  const std::shared_ptr<async_event>& caught_up() const noexcept;
  /// The file, for sendfile (with explicit offsets; nobody may seek or write) and for linking it elsewhere; valid as
  /// long as the spool. -1 unless it is sealed and no window.
  int fd() const;

 private:
  friend class spool_writer;
  friend class spool_follower;
  struct impl;
  explicit spool(std::unique_ptr<impl> i);
  void free_what_was_read();
  std::unique_ptr<impl> impl_;
};

/// The one who writes. Used by one coroutine. Destroyed before it ended the spool: fails it.
class spool_writer {
 public:
  /// Blocking. Errors are the file system's (no descriptors, no space, no folder).
  static boost::system::result<std::unique_ptr<spool_writer>> create(const spool_options& options, blocking_pool& pool,
                                                                     spool_budget& budget);
  ~spool_writer();
  spool_writer(const spool_writer&) = delete;
  spool_writer& operator=(const spool_writer&) = delete;

  const spool_ptr& target() const noexcept { return spool_; }

  /// Writes on the pool, then publishes; `bytes` must live until it returns. Waits before it writes while the spool is
  /// more than max_lead ahead of its fastest follower and the budget is used up; a slower follower never holds it back,
  /// and where nobody follows nothing does. A window waits for room on the disk too.
  /// Errors: no_space_on_device (disk, quota or budget, also for a window), file_too_large, operation_canceled (not
  /// wanted() any more, or this coroutine was cancelled while it waited), those of the file. After one the caller ends
  /// it with fail(), which it does not do by itself: until then those who follow wait.
  awaitable<boost::system::result<void>> append(std::string_view bytes);
  /// Others need the room: a window from now on, whether the disk is full or not. Nothing happens where nobody follows.
  void become_window() noexcept;
  /// False where followers were there, all have gone, and it is neither to be finished without them nor
  /// worth_finishing(), nor went on alone for less than max_alone where its total is not known. A spool that nobody
  /// ever followed is wanted; a window without followers never.
  bool wanted() const;

  /// Exactly one of the two, at the end; what comes after the first does nothing. seal() fails a spool that lacks
  /// a piece (an append failed, threw or never ended), or has not the size it was to have (spool_options::total): what
  /// was cut never looks whole.
  void seal() noexcept;
  void fail(std::string cause) noexcept;

 private:
  struct held;
  struct starved;
  struct search;
  explicit spool_writer(spool_ptr s) : spool_(std::move(s)) {}
  awaitable<boost::system::result<void>> append_piece(std::string_view bytes);
  awaitable<boost::system::result<void>> wait_for_room(std::uint64_t bytes);
  awaitable<boost::system::result<void>> store(std::string_view bytes);
  awaitable<boost::system::result<void>> store_in_window(std::string_view bytes, std::uint64_t freed);
  awaitable<boost::system::result<void>> wait_for_space(search& for_room);

  spool_ptr spool_;
  bool lacks_a_piece_ = false;
};

}  // namespace tankard::cache

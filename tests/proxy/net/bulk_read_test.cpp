// Reads that wait for much, never for more than there will be.

#include "proxy/net/bulk_read.hpp"

#include <gtest/gtest.h>
#include <sys/socket.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/local/connect_pair.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/write.hpp>

#include "tests/support/run_coroutine.hpp"

namespace tankard::proxy::net {
namespace {

using asio::ip::tcp;
using namespace std::chrono_literals;

struct BulkRead : testing::Test {
  BulkRead() {
    tcp::acceptor door(io, {asio::ip::address_v4::loopback(), 0});
    tcp::socket near(io);
    near.connect(door.local_endpoint());
    far = door.accept();
    stream_socket plain(std::move(near));
    from.emplace(std::move(plain));
  }
  int mark() {
    int value = 0;
    socklen_t size = sizeof value;
    EXPECT_EQ(::getsockopt(from->socket().native_handle(), SOL_SOCKET, SO_RCVLOWAT, &value, &size), 0);
    return value;
  }
  bulk_read::got read(std::size_t most = 1u << 20) {
    buffer.resize(most);
    return test::run(io, bulk->read_some(*from, asio::buffer(buffer)));
  }
  using in_time = std::shared_ptr<std::optional<bulk_read::got>>;
  /// It waits when this returns, where there is nothing to read.
  in_time begin_to_read(std::size_t most = 1u << 20) {
    auto out = std::make_shared<std::optional<bulk_read::got>>();
    buffer.resize(most);
    asio::co_spawn(io, bulk->read_some(*from, asio::buffer(buffer)),
                   [out](const std::exception_ptr&, bulk_read::got got) { *out = got; });
    io.restart();
    io.poll();
    return out;
  }
  void wait_for(const std::optional<bulk_read::got>& got) {
    test::run_until(io, [&] { return got.has_value(); });
  }
  /// So much that it is a bulk from here.
  void read_the_beginning(bulk_read::duration patience) {
    bulk.emplace(io.get_executor(), patience);
    for (std::uint64_t done = 0; done < bulk_read::beginning;) {
      auto const n = std::min<std::uint64_t>(16u << 10, bulk_read::beginning - done);
      asio::write(far, asio::buffer(std::string(n, 'b')));
      for (std::uint64_t got = 0; got < n;) got += read().bytes;
      done += n;
    }
  }

  asio::io_context io{1};
  tcp::socket far{io};
  std::optional<stream> from;
  std::optional<bulk_read> bulk{std::in_place, io.get_executor()};
  std::string buffer;
};

TEST_F(BulkRead, TheFirstBytesComeAsTheyArrive) {
  asio::write(far, asio::buffer("a", 1));
  EXPECT_EQ(read().bytes, 1u);
  EXPECT_EQ(mark(), 1);
}

TEST_F(BulkRead, ManySmallWritesAreOneRead) {
  read_the_beginning(1h);
  auto const got = begin_to_read();
  std::string const small(1024, 'a');
  for (std::size_t written = 0; written < bulk_read::enough / 4; written += small.size()) {
    asio::write(far, asio::buffer(small));
    io.poll();
    ASSERT_FALSE(*got) << "after " << written;
  }
  asio::write(far, asio::buffer(std::string(bulk_read::enough, 'b')));
  wait_for(*got);
  EXPECT_GT((*got)->bytes, bulk_read::enough / 4);
}

TEST_F(BulkRead, WhatIsLessThanEnoughComesAllTheSame) {
  read_the_beginning(1ms);
  for (std::string const bytes : {"one", "another"}) {
    auto const got = begin_to_read();
    asio::write(far, asio::buffer(bytes));
    wait_for(*got);
    EXPECT_EQ(buffer.substr(0, (*got)->bytes), bytes);
  }
}

TEST_F(BulkRead, WhenItsPatienceIsOverOneByteIsEnough) {
  read_the_beginning(1ms);
  auto const got = begin_to_read();
  test::run_until(io, [&] { return mark() == 1; });
  asio::write(far, asio::buffer("late", 4));
  wait_for(*got);
  EXPECT_EQ((*got)->bytes, 4u);
}

TEST_F(BulkRead, TheEndIsNotWaitedFor) {
  read_the_beginning(1h);
  auto const last = begin_to_read();
  asio::write(far, asio::buffer("last", 4));
  far.shutdown(tcp::socket::shutdown_send);
  wait_for(*last);
  EXPECT_EQ(buffer.substr(0, (*last)->bytes), "last");
  EXPECT_EQ(read().ec, asio::error::eof);
}

TEST_F(BulkRead, NoMoreIsWaitedForThanThereIsRoomFor) {
  read_the_beginning(1h);
  auto const got = begin_to_read(10);
  asio::write(far, asio::buffer(std::string(10, 'a')));
  wait_for(*got);
  EXPECT_EQ((*got)->bytes, 10u);
}

TEST_F(BulkRead, WhenItStopsTheSocketIsAsItWas) {
  read_the_beginning(1h);
  asio::write(far, asio::buffer(std::string(1000, 'a')));
  far.shutdown(tcp::socket::shutdown_send);
  EXPECT_EQ(read().bytes, 1000u);
  EXPECT_GT(mark(), 1);
  bulk->stop();
  EXPECT_EQ(mark(), 1);
}

TEST_F(BulkRead, AStreamThatWasClosedMeanwhileIsLeftAlone) {
  read_the_beginning(1h);
  auto const got = begin_to_read();
  from->close();
  wait_for(*got);
  EXPECT_EQ((*got)->ec, asio::error::operation_aborted);
  bulk->stop();
}

TEST(BulkReadOfAUnixSocket, TakesWhatIsThere) {
  asio::io_context io(1);
  asio::local::stream_protocol::socket near(io), far(io);
  asio::local::connect_pair(near, far);
  stream from{stream_socket(std::move(near))};
  bulk_read bulk(io.get_executor());
  std::string buffer(64u << 10, '\0');
  std::string const piece(32u << 10, 'a');
  for (std::uint64_t done = 0; done < 2 * bulk_read::beginning; done += piece.size()) {
    asio::write(far, asio::buffer(piece));
    std::size_t got = 0;
    while (got < piece.size()) got += test::run(io, bulk.read_some(from, asio::buffer(buffer))).bytes;
  }
}

}  // namespace
}  // namespace tankard::proxy::net

#pragma once
// Follows the journal for browsers: up to kStreamsMax connections that each get every change after the one they
// name, a few times a second, and a comment every 15 s while nothing changes. Not the changes' form
// (event_log.h). A client's place is a record's number, not a queue: one that reads slowly falls behind in the
// database, and one that takes nothing for ten seconds is dropped; it comes back with Last-Event-ID.
// Thread rule: every method on the io_context's thread; the journal is read on the pool.

#include <atomic>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/thread_pool.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <cstdint>
#include <deque>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>

#include "coordinator/edge/event_log.h"
#include "coordinator/edge/mailbox.h"

namespace ranktide {

class EventStream;

class EventFeed {
 public:
  static constexpr size_t kStreamsMax = 200;

  // Outlives: io, pool and mailbox must outlive the feed, and the pool must be joined before it ends.
  EventFeed(boost::asio::io_context& io, boost::asio::thread_pool& pool, std::filesystem::path data_folder,
            const Mailbox& mailbox);
  ~EventFeed();
  EventFeed(const EventFeed&) = delete;
  EventFeed& operator=(const EventFeed&) = delete;

  bool is_full() const { return streams_.size() >= kStreamsMax; }
  size_t size() const { return streams_.size(); }
  // Sends the changes after that record, or, without one, those from now on. token: its reader's, as
  // Caller::token. Requires: !is_full().
  void add(boost::beast::tcp_stream stream, std::optional<int64_t> after, const std::string& token = "");
  // Ends the streams whose reader's token lets nobody in any more: they were asked for it only once.
  void keep(const std::function<bool(const std::string& token)>& is_active);
  void close();

  // For its streams. Gives one its next changes, now or when they have been read, unless it is busy.
  void serve(EventStream& stream);
  void drop(EventStream& stream);

 private:
  struct Page {
    int64_t newest = 0;  // of the journal when it was read
    std::vector<Change> changes;
  };
  // Reads the changes after that record, or only where the journal stands; nullopt when it cannot be read now.
  std::optional<Page> read(std::optional<int64_t> after) const;

  void look();
  void read_on();
  void take(const std::optional<Page>& page);
  void read_for(EventStream& stream);
  void hand_over(EventStream& stream, const std::optional<Page>& page);

  boost::asio::io_context& io_;
  boost::asio::thread_pool& pool_;
  const std::filesystem::path data_folder_;
  const Mailbox& mailbox_;
  boost::asio::steady_timer timer_;
  std::set<std::shared_ptr<EventStream>> streams_;
  std::deque<Change> recent_;                       // the newest changes, without a gap
  std::optional<int64_t> newest_;                   // record; absent before the first look
  std::optional<uint64_t> committed_seen_;          // records of this process at the last look that was one
  mutable std::atomic<bool> failure_told_ = false;  // of reads, until one goes well
  bool is_reading_ = false;
  bool is_ticking_ = false;
};

}  // namespace ranktide

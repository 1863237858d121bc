#include "coordinator/edge/event_feed.h"

#include <boost/asio/post.hpp>
#include <spdlog/spdlog.h>

#include "coordinator/edge/event_stream.h"

namespace ranktide {
namespace asio = boost::asio;
namespace beast = boost::beast;

namespace {

constexpr std::chrono::milliseconds kLookEvery{250};
constexpr int kChangesPerRead = 1'000;
constexpr size_t kRecentMax = 4'000;
constexpr size_t kPieceBytes = 64 << 10;  // of one write; the rest follows

}  // namespace

EventFeed::EventFeed(asio::io_context& io, asio::thread_pool& pool, std::filesystem::path data_folder,
                     const Mailbox& mailbox)
    : io_(io), pool_(pool), data_folder_(std::move(data_folder)), mailbox_(mailbox), timer_(io) {}

EventFeed::~EventFeed() {
  close();
}

void EventFeed::close() {
  timer_.cancel();
  for (const auto& stream : streams_) stream->close();
  streams_.clear();
}

void EventFeed::add(beast::tcp_stream connection, std::optional<int64_t> after, const std::string& token) {
  const auto stream = std::make_shared<EventStream>(std::move(connection), *this, after, token);
  streams_.insert(stream);
  stream->begin();
  if (!is_ticking_) look();
}

void EventFeed::keep(const std::function<bool(const std::string& token)>& is_active) {
  for (const auto& stream : std::set(streams_))
    if (!is_active(stream->token())) drop(*stream);
}

void EventFeed::drop(EventStream& stream) {
  stream.close();
  streams_.erase(stream.shared_from_this());
}

// Ends by itself when nobody is left.
void EventFeed::look() {
  is_ticking_ = !streams_.empty();
  if (!is_ticking_) return;
  if (!is_reading_ && (!newest_ || mailbox_.live().records != committed_seen_)) read_on();
  for (const auto& stream : std::set(streams_)) serve(*stream);
  timer_.expires_after(kLookEvery);
  timer_.async_wait([this](beast::error_code error) {
    if (!error) look();
  });
}

std::optional<EventFeed::Page> EventFeed::read(std::optional<int64_t> after) const {
  try {
    const Reader reader(data_folder_);
    Page page = reader.snapshot([&]() -> Page {
      const int64_t newest = newest_record(reader);
      return {.newest = newest,
              .changes = after ? changes_after(reader, *after, kChangesPerRead) : std::vector<Change>{}};
    });
    failure_told_ = false;
    return page;
  } catch (const std::exception& error) {
    if (failure_told_.exchange(true)) return std::nullopt;  // it is tried four times a second
    spdlog::warn("events: {}; it is tried again until it can be read", error.what());
    return std::nullopt;
  }
}

void EventFeed::read_on() {
  is_reading_ = true;
  committed_seen_ = mailbox_.live().records;
  asio::post(pool_, [this, from = newest_] {
    auto page = read(from);
    asio::post(io_, [this, page = std::move(page)] { take(page); });
  });
}

void EventFeed::take(const std::optional<Page>& page) {
  is_reading_ = false;
  if (!page) {
    committed_seen_.reset();  // the next look tries again
    return;
  }
  recent_.insert(recent_.end(), page->changes.begin(), page->changes.end());
  while (recent_.size() > kRecentMax) recent_.pop_front();
  newest_ = page->changes.empty() ? newest_.value_or(page->newest) : page->changes.back().record;
  if (*newest_ < page->newest) read_on();
  for (const auto& stream : std::set(streams_)) serve(*stream);
}

void EventFeed::serve(EventStream& stream) {
  if (stream.is_busy() || !newest_) return;
  if (!stream.after()) return stream.send_position(*newest_);
  const int64_t after = *stream.after();
  if (after == *newest_) return stream.ping_if_silent();
  const int64_t before_recent = *newest_ - static_cast<int64_t>(recent_.size());
  if (after < before_recent || after > *newest_) return read_for(stream);
  std::string piece;
  size_t at = static_cast<size_t>(after - before_recent);
  while (at < recent_.size() && piece.size() < kPieceBytes) piece += recent_[at++].text;
  stream.send(std::move(piece), recent_[at - 1].record);
}

void EventFeed::read_for(EventStream& stream) {
  stream.await_changes();
  asio::post(pool_, [this, after = stream.after(), kept = stream.shared_from_this()]() mutable {
    auto page = read(after);
    asio::post(io_, [this, kept = std::move(kept), page = std::move(page)] { hand_over(*kept, page); });
  });
}

void EventFeed::hand_over(EventStream& stream, const std::optional<Page>& page) {
  stream.end_await();
  if (!streams_.contains(stream.shared_from_this())) return;  // it has gone meanwhile
  if (!page) return drop(stream);
  if (*stream.after() > page->newest) return stream.send_position(page->newest);
  std::string piece;
  for (const Change& change : page->changes) piece += change.text;
  if (!piece.empty()) stream.send(std::move(piece), page->changes.back().record);
}

}  // namespace ranktide

#pragma once
// What the connections of one server share: who may ask, where answers come from, and how many there are.
// Thread rule: everything on the io_context's thread but the pool's tasks; the gate from any thread.

#include <boost/asio/io_context.hpp>
#include <boost/asio/thread_pool.hpp>
#include <functional>
#include <list>
#include <memory>
#include <mutex>

#include "coordinator/edge/artifact_hasher.h"
#include "coordinator/edge/event_feed.h"
#include "coordinator/edge/http_access.h"
#include "coordinator/edge/http_server.h"

namespace ranktide {

// The way back from the turn's thread, which may still have answers when the server has ended.
class AnswerGate {
 public:
  explicit AnswerGate(boost::asio::io_context& io) : io_(&io) {}
  // Runs `then` on the server's thread, or drops it when the server has ended.
  void post(std::function<void()> then);
  void close();

 private:
  std::mutex mutex_;  // guards io_
  boost::asio::io_context* io_;
};

class HttpSession;

struct HttpService {
  HttpService(HttpServerConfig config_, Mailbox& mailbox_);

  // Reads the tokens again if they have changed and tells the core how many slots their owners may use. A file
  // that is not understood lets nobody in by token; it is said once.
  void look_at_tokens();
  // Ends the event streams of tokens that were revoked or have expired.
  void end_streams_of_ended_tokens();

  HttpServerConfig config;
  Mailbox& mailbox;
  HttpAccess access;
  // Before io, with which the last sessions end.
  int connections = 0;              // without event streams
  std::list<HttpSession*> waiting;  // of these, those that have not sent a request yet, the longest first
  int unanswered = 0;               // requests of which no answer has left yet
  boost::asio::io_context io{1};
  ArtifactHasher hasher{config.data_folder / "cache"};
  boost::asio::thread_pool reads{4};    // of results and files, up to half a minute each
  boost::asio::thread_pool tasks{2};    // bodies of commands, which wait for no read
  boost::asio::thread_pool changes{1};  // to tell
  std::shared_ptr<AnswerGate> gate = std::make_shared<AnswerGate>(io);
  EventFeed feed{io, changes, config.data_folder, mailbox};
  bool are_quotas_told = false;  // what the mailbox had no room for is told again at the next look
  bool is_closing = false;

 private:
  void tell_quotas();
};

}  // namespace ranktide

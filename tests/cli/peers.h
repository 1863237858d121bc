#pragma once
// Peers that are no coordinators, or bad ones, for tests of clients: they listen on a free port of 127.0.0.1.

#include <functional>
#include <string>
#include <thread>

#include "cli/http_client.h"

namespace ranktide::cli {

// Takes connections (the kernel does) and never says a word. With a full queue it does not even take them.
class SilentPeer {
 public:
  explicit SilentPeer(int queue = 16);
  ~SilentPeer();
  SilentPeer(const SilentPeer&) = delete;
  SilentPeer& operator=(const SilentPeer&) = delete;

  Url url() const;
  // Fills the queue, so that further connections are neither taken nor refused.
  void fill_queue();
  int listener() const { return listener_; }

 private:
  int listener_ = -1;
  std::vector<int> queued_;
};

// Answers one connection with these pieces, a pause before each.
class SlowPeer {
 public:
  SlowPeer(std::vector<std::string> pieces, std::chrono::milliseconds pause);
  ~SlowPeer() { thread_.join(); }

  Url url() const { return peer_.url(); }

 private:
  SilentPeer peer_;
  std::thread thread_;
};

}  // namespace ranktide::cli

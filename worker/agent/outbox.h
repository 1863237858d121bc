#pragma once
// What the worker has said and the coordinator has not acked, per attempt: numbers entries, sends them within a
// window, sends them again. It is the picture of the spool in memory; the disk itself is the daemon's. Not the
// network: sending means appending to the effects. One thread; time is an argument.

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "worker/agent/agent.h"

namespace ranktide {

class Outbox {
 public:
  explicit Outbox(const AgentConfig& config) : config_(config) {}

  // An attempt is held from here until it was closed and everything is acked, or until it is forgotten.
  void open(const Lease& lease);
  // Takes over what a former life left; it is closed from the start. Requires: entries are not empty.
  void load(const SpooledAttempt& spooled);
  // Numbers it and spools it as a Report. Requires: open.
  void append(const Lease& lease, const Findings& findings, AgentEffects& out);
  // Numbers it and spools it as the attempt's Done, after which nothing can be appended. Requires: open.
  void close(const Lease& lease, const Outcome& outcome, AgentEffects& out);

  void ack(const Lease& lease, int64_t seq, Instant now, AgentEffects& out);
  // The coordinator lacks `expected`. Ignored when the same was asked for a moment ago: a gap makes many such
  // answers.
  void nack(const Lease& lease, int64_t expected, Instant now, AgentEffects& out);
  // Everything below from_seq is durable over there; the rest is sent again.
  void resume(const Lease& lease, int64_t from_seq, Instant now, AgentEffects& out);
  // Says that the unit is over when its end was in here and no later attempt of it is.
  void forget(const Lease& lease, AgentEffects& out);
  // The connection is new: whatever was in flight is lost.
  void rewind_all();
  // Sends what the window allows, and again what was not acked in time.
  void pump(Instant now, AgentEffects& out);

  bool holds(const Lease& lease) const { return streams_.contains(lease); }
  // Returns: whether that entry of a held attempt was acked, so that it cannot be said again.
  bool was_acked(const Lease& lease, int64_t seq) const {
    const auto stream = streams_.find(lease);
    return stream != streams_.end() && seq <= stream->second.acked;
  }
  bool is_empty() const { return streams_.empty(); }
  // Bytes of all entries that are not acked.
  int64_t bytes() const { return bytes_; }
  std::vector<Lease> leases() const;
  std::vector<Held> held() const;
  // Returns: how many entries were sent that had been sent before.
  int64_t resent() const { return resent_; }
  // Returns: when pump() has something to send again.
  std::optional<Instant> next_resend() const;

 private:
  struct Stream {  // entries acked+1 .. last
    std::map<int64_t, std::string> entries;
    int64_t last = 0;
    int64_t acked = 0;
    int64_t sent = 0;       // acked <= sent <= last
    int64_t sent_most = 0;  // what is sent below it is sent again
    bool is_closed = false;
    bool has_result = false;  // its Done says completed or diverged
    Step checkpoint = 0;
    std::optional<Instant> resend_at;  // set exactly while something is in flight
    int64_t nacked = 0;                // newest gap that was answered, and until when it is not answered again
    Instant nacked_until;
  };
  struct InFlight {
    size_t entries = 0;
    int64_t bytes = 0;
  };

  Stream* find(const Lease& lease);
  void spool(const Lease& lease, Stream& stream, const WorkerMessage& message, bool sync, AgentEffects& out);
  void drop_up_to(const Lease& lease, Stream& stream, int64_t seq, AgentEffects& out);
  bool is_newest(const Lease& lease) const;
  void forget_if_done(const Lease& lease, AgentEffects& out);
  InFlight in_flight() const;

  AgentConfig config_;
  std::map<Lease, Stream> streams_;
  int64_t bytes_ = 0;
  int64_t resent_ = 0;
};

}  // namespace ranktide

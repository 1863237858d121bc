#include "worker/agent/outbox.h"

#include <algorithm>

#include "common/vocabulary/check.h"

namespace ranktide {
namespace {

constexpr Duration kSameNackAfter{1'000};

bool is_result(const WorkerMessage& message) {
  const auto* done = std::get_if<Done>(&message);
  return done != nullptr &&
         (done->outcome.kind == OutcomeKind::completed || done->outcome.kind == OutcomeKind::diverged);
}

}  // namespace

std::string spool_bytes(const WorkerMessage& message) {
  const Frames frames = encode(message, 0);
  return frames.header + frames.body;
}

WorkerMessage from_spool_bytes(std::string_view bytes) {
  const Header header = decode_header(bytes.substr(0, kHeaderBytes));
  WorkerMessage message = decode_worker_message(header, bytes.substr(kHeaderBytes));
  if (!std::holds_alternative<Report>(message) && !std::holds_alternative<Done>(message))
    throw ProtocolError("a spool entry is a Report or a Done; this is message type " +
                        std::to_string(header.type));
  return message;
}

Outbox::Stream* Outbox::find(const Lease& lease) {
  const auto it = streams_.find(lease);
  return it == streams_.end() ? nullptr : &it->second;
}

void Outbox::open(const Lease& lease) {
  RT_CHECK(streams_.try_emplace(lease).second);
}

void Outbox::load(const SpooledAttempt& spooled) {
  RT_CHECK(!spooled.entries.empty());
  RT_CHECK(!holds(spooled.lease));
  Stream stream{.entries = spooled.entries, .is_closed = true, .resend_at = {}, .nacked_until = {}};
  stream.acked = stream.sent = spooled.entries.begin()->first - 1;
  stream.last = spooled.entries.rbegin()->first;
  stream.has_result = is_result(from_spool_bytes(spooled.entries.rbegin()->second));
  RT_CHECK(stream.last - stream.acked == static_cast<int64_t>(spooled.entries.size()));
  for (const auto& [seq, entry] : stream.entries) bytes_ += static_cast<int64_t>(entry.size());
  streams_.emplace(spooled.lease, std::move(stream));
}

void Outbox::append(const Lease& lease, const Findings& findings, AgentEffects& out) {
  Stream& stream = streams_.at(lease);
  if (findings.checkpoint) stream.checkpoint = *findings.checkpoint;
  const WorkerMessage report = Report{.lease = lease, .seq = stream.last + 1, .findings = findings};
  spool(lease, stream, report, !findings.evals.empty(), out);
}

void Outbox::close(const Lease& lease, const Outcome& outcome, AgentEffects& out) {
  Stream& stream = streams_.at(lease);
  const WorkerMessage done = Done{.lease = lease, .seq = stream.last + 1, .outcome = outcome};
  spool(lease, stream, done, true, out);
  stream.is_closed = true;
  stream.has_result = is_result(done);
}

void Outbox::spool(const Lease& lease, Stream& stream, const WorkerMessage& message, bool sync,
                   AgentEffects& out) {
  RT_CHECK(!stream.is_closed);
  std::string bytes = spool_bytes(message);
  ++stream.last;
  bytes_ += static_cast<int64_t>(bytes.size());
  stream.entries.emplace(stream.last, bytes);
  out.spool.push_back(SpoolAppend{.lease = lease, .seq = stream.last, .bytes = std::move(bytes), .sync = sync});
}

void Outbox::ack(const Lease& lease, int64_t seq, Instant now, AgentEffects& out) {
  Stream* stream = find(lease);
  if (!stream || seq <= stream->acked) return;
  drop_up_to(lease, *stream, seq, out);
  stream->resend_at.reset();
  if (stream->sent > stream->acked) stream->resend_at = now + config_.resend_after;
  forget_if_done(lease, out);
}

void Outbox::nack(const Lease& lease, int64_t expected, Instant now, AgentEffects& out) {
  Stream* stream = find(lease);
  if (!stream || (expected == stream->nacked && now < stream->nacked_until)) return;
  stream->nacked = expected;
  stream->nacked_until = now + kSameNackAfter;
  resume(lease, expected, now, out);
}

void Outbox::resume(const Lease& lease, int64_t from_seq, Instant now, AgentEffects& out) {
  Stream* stream = find(lease);
  if (!stream) return;
  ack(lease, from_seq - 1, now, out);
  stream = find(lease);
  if (!stream) return;
  stream->sent = stream->acked;
  stream->resend_at.reset();
}

void Outbox::drop_up_to(const Lease& lease, Stream& stream, int64_t seq, AgentEffects& out) {
  // A coordinator may know more than this spool: what a torn tail lost had been sent. Numbers go on above it.
  const auto end = stream.entries.upper_bound(seq);
  for (auto it = stream.entries.begin(); it != end; ++it) bytes_ -= static_cast<int64_t>(it->second.size());
  stream.entries.erase(stream.entries.begin(), end);
  stream.acked = seq;
  stream.sent = std::max(stream.sent, seq);
  stream.last = std::max(stream.last, seq);
  out.spool.push_back(SpoolDrop{lease, seq});
}

void Outbox::forget_if_done(const Lease& lease, AgentEffects& out) {
  const Stream& stream = streams_.at(lease);
  if (stream.is_closed && stream.entries.empty()) forget(lease, out);
}

void Outbox::forget(const Lease& lease, AgentEffects& out) {
  const Stream* stream = find(lease);
  if (!stream) return;
  for (const auto& [seq, entry] : stream->entries) bytes_ -= static_cast<int64_t>(entry.size());
  if (stream->has_result && is_newest(lease)) out.over.push_back(lease.unit);
  streams_.erase(lease);
  out.spool.push_back(SpoolForget{lease});
}

bool Outbox::is_newest(const Lease& lease) const {
  const auto next = streams_.upper_bound(lease);
  return next == streams_.end() || next->first.unit != lease.unit;
}

void Outbox::rewind_all() {
  for (auto& [lease, stream] : streams_) {
    stream.sent = stream.acked;
    stream.resend_at.reset();
  }
}

Outbox::InFlight Outbox::in_flight() const {
  InFlight out;
  for (const auto& [lease, stream] : streams_)
    for (auto it = stream.entries.begin(); it != stream.entries.end() && it->first <= stream.sent; ++it) {
      ++out.entries;
      out.bytes += static_cast<int64_t>(it->second.size());
    }
  return out;
}

void Outbox::pump(Instant now, AgentEffects& out) {
  for (auto& [lease, stream] : streams_) {
    if (!stream.resend_at || *stream.resend_at > now) continue;
    stream.sent = stream.acked;
    stream.resend_at.reset();
  }
  InFlight flying = in_flight();
  for (auto& [lease, stream] : streams_) {
    while (stream.sent < stream.last && flying.entries < config_.in_flight_max) {
      const std::string& entry = stream.entries.at(stream.sent + 1);
      if (flying.entries > 0 && flying.bytes + static_cast<int64_t>(entry.size()) > config_.in_flight_bytes_max)
        break;
      out.messages.push_back(from_spool_bytes(entry));
      ++stream.sent;
      if (stream.sent <= stream.sent_most) ++resent_;
      stream.sent_most = std::max(stream.sent_most, stream.sent);
      ++flying.entries;
      flying.bytes += static_cast<int64_t>(entry.size());
      if (!stream.resend_at) stream.resend_at = now + config_.resend_after;
    }
  }
}

std::vector<Lease> Outbox::leases() const {
  std::vector<Lease> out;
  for (const auto& [lease, stream] : streams_) out.push_back(lease);
  return out;
}

std::vector<Held> Outbox::held() const {
  std::vector<Held> out;
  for (const auto& [lease, stream] : streams_)
    out.push_back({.lease = lease, .last_acked_seq = stream.acked, .last_checkpoint = stream.checkpoint});
  return out;
}

std::optional<Instant> Outbox::next_resend() const {
  std::optional<Instant> out;
  for (const auto& [lease, stream] : streams_)
    if (stream.resend_at && (!out || *stream.resend_at < *out)) out = stream.resend_at;
  return out;
}

}  // namespace ranktide

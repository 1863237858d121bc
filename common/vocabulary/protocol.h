#pragma once
// What coordinator and worker say to each other over ZeroMQ: two frames, a fixed header and a MessagePack body.
// The header lets the receiver fence before it decodes the body. Type numbers and field names are permanent;
// a field may be added (wire.h: missing keeps its default, unknown is ignored), none is renamed.
// Identity is never in here: it is the CURVE key that the socket reports (User-Id).

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "common/vocabulary/wire.h"
#include "common/vocabulary/work.h"

namespace ranktide {

constexpr uint16_t kProtocolVersion = 2;
constexpr size_t kHeaderBytes = 60;
constexpr size_t kBodyBytesMax = 1 << 20;

// ---- worker -> coordinator
// ------------------------------------------------------------------------------------

struct Slot {
  int index = 0;
  std::string device;  // "cpu", or a GPU's UUID
  int threads = 1;
  int64_t memory_bytes = 0;
  std::string model;                // of a GPU, as its maker names it
  std::vector<std::string> labels;  // of whoever runs the worker, and "shared" for a GPU that others compute on
  std::string processor{};          // of cores, as the kernel names it; empty: not told
  std::optional<bool> widens_bf16{};  // of cores: bf16 is turned into fp32 to be multiplied; absent: not told
};
template <class Ar>
void fields(Ar& ar, Slot& s) {
  ar("index", s.index)("device", s.device)("threads", s.threads)("memory_bytes", s.memory_bytes);
  ar("model", s.model)("labels", s.labels);
  later_field(ar, "processor", s.processor);
  later_field(ar, "widens_bf16", s.widens_bf16);
}

struct Held {  // an attempt that this life of the worker still has: running, or ended with reports unacked
  Lease lease;
  int64_t last_acked_seq = 0;
  Step last_checkpoint = 0;
};
template <class Ar>
void fields(Ar& ar, Held& h) {
  ar("lease", h.lease)("last_acked_seq", h.last_acked_seq)("last_checkpoint", h.last_checkpoint);
}

struct Hello {       // first message of a connection, and after every silence longer than a lease
  std::string boot;  // random per process life; a restarted worker is a new life
  std::string version;
  std::vector<Slot> slots;
  std::vector<Held> held;
};
template <class Ar>
void fields(Ar& ar, Hello& h) {
  ar("boot", h.boot)("version", h.version)("slots", h.slots)("held", h.held);
}

struct DeviceUse {     // of a GPU, all processes on it together; for eyes only
  std::string device;  // its UUID, as in a Slot
  int64_t memory_used_bytes = 0;
  int64_t memory_bytes = 0;
};
template <class Ar>
void fields(Ar& ar, DeviceUse& d) {
  ar("device", d.device)("memory_used_bytes", d.memory_used_bytes)("memory_bytes", d.memory_bytes);
}

struct Heartbeat {  // renews the leases it names
  std::string boot;
  std::vector<Lease> running;
  std::vector<Progress> progress;
  std::vector<DeviceUse> devices{};  // as they were measured last
  int64_t resent = 0;                // entries that this life said more than once, for eyes only
};
template <class Ar>
void fields(Ar& ar, Heartbeat& h) {
  ar("boot", h.boot)("running", h.running)("progress", h.progress);
  ar("devices", h.devices)("resent", h.resent);
}

struct Report {  // entry `seq` of the attempt's spool, counted from 1
  Lease lease;
  int64_t seq = 0;
  Findings findings;
};
template <class Ar>
void fields(Ar& ar, Report& r) {
  ar("lease", r.lease)("seq", r.seq)("findings", r.findings);
}

struct Done {  // the last entry of the attempt's spool; an outcome `stopped` gives the lease back
  Lease lease;
  int64_t seq = 0;
  Outcome outcome;
};
template <class Ar>
void fields(Ar& ar, Done& d) {
  ar("lease", d.lease)("seq", d.seq)("outcome", d.outcome);
}

struct Drain {  // nothing new for this worker; what it still holds it will finish or give back
  std::string boot;
};
template <class Ar>
void fields(Ar& ar, Drain& d) {
  ar("boot", d.boot);
}

// ---- coordinator -> worker
// ------------------------------------------------------------------------------------

struct Welcome {  // answers Hello
  std::string boot;
  int64_t heartbeat_ms = 10'000;
  int64_t lease_ms = 120'000;
  int bulk_port = 0;  // of bulk data, at the address of this link; 0: none is served
};
template <class Ar>
void fields(Ar& ar, Welcome& w) {
  ar("boot", w.boot)("heartbeat_ms", w.heartbeat_ms)("lease_ms", w.lease_ms);
  ar("bulk_port", w.bulk_port);
}

struct Grant {  // said again until a Heartbeat names the lease; a worker starts it once, in the life it is
                // meant for
  Lease lease;
  std::string boot;
  std::vector<int> slots;
  Work work;
};
template <class Ar>
void fields(Ar& ar, Grant& g) {
  ar("lease", g.lease)("boot", g.boot)("slots", g.slots)("work", g.work);
}

enum class StopKind { checkpoint, kill };
template <>
struct EnumTexts<StopKind> {
  static constexpr std::array texts{"checkpoint", "kill"};
};
struct Stop {  // kill is also said of a unit that did not run there: nobody needs what is kept for it
  Lease lease;
  StopKind kind = StopKind::checkpoint;
};
template <class Ar>
void fields(Ar& ar, Stop& s) {
  ar("lease", s.lease)("kind", s.kind);
}

struct Ack {  // everything of this attempt up to seq is durable; the spool may forget it
  Lease lease;
  int64_t seq = 0;
};
template <class Ar>
void fields(Ar& ar, Ack& a) {
  ar("lease", a.lease)("seq", a.seq);
}

struct Nack {  // a gap: send again from `expected`
  Lease lease;
  int64_t expected = 0;
};
template <class Ar>
void fields(Ar& ar, Nack& n) {
  ar("lease", n.lease)("expected", n.expected);
}

struct Fenced {  // the attempt is not yours, or not the newest: stop it and forget it
  Lease lease;
  Attempt current = 0;
};
template <class Ar>
void fields(Ar& ar, Fenced& f) {
  ar("lease", f.lease)("current", f.current);
}

struct Resume {  // answers Hello for a held attempt: go on, and send from `from_seq`
  Lease lease;
  int64_t from_seq = 0;
};
template <class Ar>
void fields(Ar& ar, Resume& r) {
  ar("lease", r.lease)("from_seq", r.from_seq);
}

struct Abandon {  // answers Hello for a held attempt: it has ended or moved; stop it and forget it
  Lease lease;
};
template <class Ar>
void fields(Ar& ar, Abandon& a) {
  ar("lease", a.lease);
}

struct Heard {  // answers Heartbeat: the leases it named are renewed, but for those answered Fenced or Abandon
  std::string boot;
};
template <class Ar>
void fields(Ar& ar, Heard& h) {
  ar("boot", h.boot);
}

struct AskHello {    // the coordinator does not know this life or where its attempts stand: introduce yourself
  std::string boot;  // as the message named it; empty when it named none
};
template <class Ar>
void fields(Ar& ar, AskHello& a) {
  ar("boot", a.boot);
}

struct Replaced {    // another process of the same key has taken this life's place and is at work: end
  std::string boot;  // of the life that is to end; any other one has nothing to do with it
};
template <class Ar>
void fields(Ar& ar, Replaced& r) {
  ar("boot", r.boot);
}

// The order gives the type numbers on the wire: permanent, append only.
using WorkerMessage = std::variant<Hello, Heartbeat, Report, Done, Drain>;
using CoordinatorMessage =
    std::variant<Welcome, Grant, Stop, Ack, Nack, Fenced, Resume, Abandon, Heard, AskHello, Replaced>;

struct Frames {
  std::string header;
  std::string body;
};

// epoch: of the coordinator that the sender speaks for or has last seen. Requires: the body fits kBodyBytesMax.
Frames encode(const WorkerMessage& message, uint64_t epoch);
Frames encode(const CoordinatorMessage& message, uint64_t epoch);

struct Header {
  uint16_t version = 0;
  uint16_t type = 0;
  uint64_t epoch = 0;
  int64_t seq = 0;  // of Report and Done, else 0
  Lease lease;      // empty unit: the message speaks of no single attempt
};

// Throws: ProtocolError naming what is wrong; the sender's connection state is not touched.
Header decode_header(std::string_view bytes);
WorkerMessage decode_worker_message(const Header& header, std::string_view body);
CoordinatorMessage decode_coordinator_message(const Header& header, std::string_view body);

// Returns: one line for transcripts and logs, such as "Grant{1a2b3c4d5e6f/2, slots 0}".
std::string describe(const WorkerMessage& message);
std::string describe(const CoordinatorMessage& message);

}  // namespace ranktide

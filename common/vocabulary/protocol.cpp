#include "common/vocabulary/protocol.h"

#include <algorithm>

#include "common/vocabulary/check.h"

namespace ranktide {
namespace {

constexpr std::string_view kMagic = "RTDE";
constexpr uint16_t kWorkerTypes = 0;         // WorkerMessage types count from here,
constexpr uint16_t kCoordinatorTypes = 256;  // CoordinatorMessage types from here

template <class T>
concept SpeaksOfAnAttempt = requires(const T& m) {
  m.lease;
};
template <class T>
concept IsNumbered = requires(const T& m) {
  m.seq;
};

void put(std::string& out, uint64_t value, int bytes) {
  for (int shift = 0; shift < 8 * bytes; shift += 8) out.push_back(static_cast<char>(value >> shift & 0xff));
}

uint64_t get(std::string_view in, size_t at, size_t bytes) {
  uint64_t value = 0;
  for (size_t i = bytes; i > 0; --i) value = value << 8 | static_cast<unsigned char>(in[at + i - 1]);
  return value;
}

int nibble(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  return -1;
}

// A unit is 64 hex digits; on the wire 32 bytes, all zero for none.
std::string unit_bytes(const UnitId& unit) {
  if (unit.empty()) return std::string(32, '\0');
  RT_CHECK(unit.text.size() == 64);
  std::string out;
  for (size_t i = 0; i < 64; i += 2)
    out.push_back(static_cast<char>(nibble(unit.text[i]) << 4 | nibble(unit.text[i + 1])));
  return out;
}

UnitId unit_from(std::string_view bytes) {
  if (bytes == std::string(32, '\0')) return {};
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string text;
  for (const char c : bytes) {
    text.push_back(kDigits[static_cast<unsigned char>(c) >> 4]);
    text.push_back(kDigits[static_cast<unsigned char>(c) & 0xf]);
  }
  return UnitId{text};
}

template <class Variant>
Frames encode_from(const Variant& message, uint64_t epoch, uint16_t first_type) {
  return std::visit(
      [&]<class M>(const M& m) {
        Frames out{std::string(kMagic), pack(m)};
        RT_CHECK(out.body.size() <= kBodyBytesMax);
        Lease lease;
        uint64_t seq = 0;
        if constexpr (SpeaksOfAnAttempt<M>) lease = m.lease;
        if constexpr (IsNumbered<M>) seq = static_cast<uint64_t>(m.seq);
        put(out.header, kProtocolVersion, 2);
        put(out.header, first_type + message.index(), 2);
        put(out.header, epoch, 8);
        put(out.header, seq, 8);
        put(out.header, static_cast<uint32_t>(lease.attempt), 4);
        out.header += unit_bytes(lease.unit);
        RT_CHECK(out.header.size() == kHeaderBytes);
        return out;
      },
      message);
}

template <class Variant, size_t... I>
Variant build(size_t type, std::string_view body, std::index_sequence<I...>) {
  std::optional<Variant> out;
  ((type == I ? void(out = unpack<std::variant_alternative_t<I, Variant>>(body)) : void()), ...);
  if (!out) throw ProtocolError("unknown message type " + std::to_string(type));
  return *out;
}

template <class Variant>
Variant decode_from(const Header& header, std::string_view body, uint16_t first_type) {
  if (body.size() > kBodyBytesMax) throw ProtocolError("body of " + std::to_string(body.size()) + " bytes");
  if (header.type < first_type)
    throw ProtocolError("message type " + std::to_string(header.type) + " goes the other way");
  auto message = build<Variant>(static_cast<size_t>(header.type - first_type), body,
                                std::make_index_sequence<std::variant_size_v<Variant>>{});
  std::visit(
      [&]<class M>(const M& m) {
        if constexpr (SpeaksOfAnAttempt<M>)
          if (m.lease != header.lease) throw ProtocolError("header and body speak of different attempts");
      },
      message);
  return message;
}

bool is_unit(const UnitId& unit) {
  return unit.text.size() == 64 &&
         std::all_of(unit.text.begin(), unit.text.end(), [](char c) { return nibble(c) >= 0; });
}

// A lease is answered in a header of its own, where only a unit's 32 bytes have room.
void require_unit(const Lease& lease) {
  if (!is_unit(lease.unit)) throw ProtocolError("a lease of something that is no unit");
}

struct CheckLeases {
  void operator()(const Hello& m) const {
    for (const Held& held : m.held) require_unit(held.lease);
  }
  void operator()(const Heartbeat& m) const {
    for (const Lease& lease : m.running) require_unit(lease);
  }
  void operator()(const Report& m) const { require_unit(m.lease); }
  void operator()(const Done& m) const { require_unit(m.lease); }
  void operator()(const Drain&) const {}
};

std::string brief(const Lease& lease) {
  return lease.unit.brief() + "/" + std::to_string(lease.attempt);
}

struct Describe {
  std::string operator()(const Hello& m) const {
    std::string out = "Hello{boot " + m.boot + ", slots " + std::to_string(m.slots.size());
    for (const Held& held : m.held)
      out += ", held " + brief(held.lease) + " acked " + std::to_string(held.last_acked_seq);
    return out + "}";
  }
  std::string operator()(const Heartbeat& m) const {
    std::string out = "Heartbeat{boot " + m.boot;
    for (const Lease& lease : m.running) out += ", " + brief(lease);
    return out + "}";
  }
  std::string operator()(const Report& m) const {
    std::string out = "Report{" + brief(m.lease) + ", seq " + std::to_string(m.seq) + ", points " +
                      std::to_string(m.findings.points.size());
    if (!m.findings.evals.empty()) out += ", evals " + std::to_string(m.findings.evals.size());
    if (m.findings.checkpoint) out += ", checkpoint " + std::to_string(*m.findings.checkpoint);
    return out + "}";
  }
  std::string operator()(const Done& m) const {
    return "Done{" + brief(m.lease) + ", seq " + std::to_string(m.seq) + ", " +
           std::string(text_of(m.outcome.kind)) + " at step " + std::to_string(m.outcome.step) + "}";
  }
  std::string operator()(const Drain& m) const { return "Drain{boot " + m.boot + "}"; }
  std::string operator()(const Welcome& m) const { return "Welcome{boot " + m.boot + "}"; }
  std::string operator()(const Grant& m) const {
    std::string out = "Grant{" + brief(m.lease) + ", slots";
    for (const int slot : m.slots) (out += ' ') += std::to_string(slot);
    return out + ", " + std::string(text_of(m.work.kind)) + ", evals " + std::to_string(m.work.evals.size()) +
           "}";
  }
  std::string operator()(const Stop& m) const {
    return "Stop{" + brief(m.lease) + ", " + std::string(text_of(m.kind)) + "}";
  }
  std::string operator()(const Ack& m) const {
    return "Ack{" + brief(m.lease) + ", seq " + std::to_string(m.seq) + "}";
  }
  std::string operator()(const Nack& m) const {
    return "Nack{" + brief(m.lease) + ", expected " + std::to_string(m.expected) + "}";
  }
  std::string operator()(const Fenced& m) const {
    return "Fenced{" + brief(m.lease) + ", current " + std::to_string(m.current) + "}";
  }
  std::string operator()(const Resume& m) const {
    return "Resume{" + brief(m.lease) + ", from " + std::to_string(m.from_seq) + "}";
  }
  std::string operator()(const Abandon& m) const { return "Abandon{" + brief(m.lease) + "}"; }
  std::string operator()(const Heard& m) const { return "Heard{boot " + m.boot + "}"; }
  std::string operator()(const AskHello& m) const { return "AskHello{boot " + m.boot + "}"; }
  std::string operator()(const Replaced& m) const { return "Replaced{boot " + m.boot + "}"; }
};

}  // namespace

Frames encode(const WorkerMessage& message, uint64_t epoch) {
  return encode_from(message, epoch, kWorkerTypes);
}
Frames encode(const CoordinatorMessage& message, uint64_t epoch) {
  return encode_from(message, epoch, kCoordinatorTypes);
}

Header decode_header(std::string_view bytes) {
  if (bytes.size() != kHeaderBytes || bytes.substr(0, 4) != kMagic)
    throw ProtocolError("not a ranktide header");
  Header h;
  h.version = static_cast<uint16_t>(get(bytes, 4, 2));
  if (h.version != kProtocolVersion)
    throw ProtocolError("protocol version " + std::to_string(h.version) + ", this side speaks " +
                        std::to_string(kProtocolVersion) + ": use one ranktide version on both sides");
  h.type = static_cast<uint16_t>(get(bytes, 6, 2));
  h.epoch = get(bytes, 8, 8);
  h.seq = static_cast<int64_t>(get(bytes, 16, 8));
  h.lease.attempt = static_cast<Attempt>(get(bytes, 24, 4));
  h.lease.unit = unit_from(bytes.substr(28, 32));
  return h;
}

WorkerMessage decode_worker_message(const Header& header, std::string_view body) {
  WorkerMessage message = decode_from<WorkerMessage>(header, body, kWorkerTypes);
  std::visit(CheckLeases{}, message);
  return message;
}
CoordinatorMessage decode_coordinator_message(const Header& header, std::string_view body) {
  return decode_from<CoordinatorMessage>(header, body, kCoordinatorTypes);
}

std::string describe(const WorkerMessage& message) {
  return std::visit(Describe{}, message);
}
std::string describe(const CoordinatorMessage& message) {
  return std::visit(Describe{}, message);
}

}  // namespace ranktide

#include "common/vocabulary/trainer_protocol.h"

#include "common/vocabulary/check.h"

namespace ranktide {
namespace {

// The index in the variant is the type on the pipe; both ends are of one build.
template <class... Ts>
std::string frame(const std::variant<Ts...>& message) {
  wire::Packer head;
  head.array(2);
  head.integer(static_cast<int64_t>(message.index()));
  std::string payload = head.take() + std::visit([](const auto& m) { return pack(m); }, message);
  RT_CHECK(payload.size() <= kTrainerFrameBytesMax);
  std::string out;
  for (int shift = 0; shift < 32; shift += 8) out.push_back(static_cast<char>(payload.size() >> shift & 0xff));
  return out + payload;
}

std::optional<std::string> take_payload(std::string& buffer) {
  if (buffer.size() < 4) return std::nullopt;
  size_t size = 0;
  for (size_t i = 0; i < 4; ++i) size |= static_cast<size_t>(static_cast<unsigned char>(buffer[i])) << (8 * i);
  if (size > kTrainerFrameBytesMax) throw ProtocolError("trainer frame of " + std::to_string(size) + " bytes");
  if (buffer.size() < 4 + size) return std::nullopt;
  std::string payload = buffer.substr(4, size);
  buffer.erase(0, 4 + size);
  return payload;
}

template <class Variant, size_t... I>
Variant build(size_t type, const Json& body, std::index_sequence<I...>) {
  std::optional<Variant> out;
  ((type == I ? void(out = from_json<std::variant_alternative_t<I, Variant>>(body)) : void()), ...);
  if (!out) throw ProtocolError("unknown trainer message type " + std::to_string(type));
  return *out;
}

template <class Variant>
std::optional<Variant> take(std::string& buffer) {
  const auto payload = take_payload(buffer);
  if (!payload) return std::nullopt;
  const Json message = parse_msgpack(*payload);
  if (!message.is_array() || message.size() != 2 || !message[0].is_number_unsigned())
    throw ProtocolError("a trainer message is not a pair of type and body");
  return build<Variant>(message[0].get<size_t>(), message[1],
                        std::make_index_sequence<std::variant_size_v<Variant>>{});
}

}  // namespace

std::string encode(const TrainerCommand& command) {
  return frame(command);
}
std::string encode(const TrainerReport& report) {
  return frame(report);
}
std::optional<TrainerCommand> take_command(std::string& buffer) {
  return take<TrainerCommand>(buffer);
}
std::optional<TrainerReport> take_report(std::string& buffer) {
  return take<TrainerReport>(buffer);
}

}  // namespace ranktide

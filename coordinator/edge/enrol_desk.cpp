#include "coordinator/edge/enrol_desk.h"

#include <algorithm>
#include <bit>
#include <spdlog/spdlog.h>

#include "common/net/invites.h"
#include "common/net/worker_keys.h"

namespace ranktide {
namespace {

constexpr const char* kNewLine = "; `ranktide invite` on the coordinator's machine prints a new join line";

std::optional<EnrolRefused> refusal_of(InviteStanding standing) {
  switch (standing) {
    case InviteStanding::accepted:
      return std::nullopt;
    case InviteStanding::unknown:
      return EnrolRefused{EnrolRefusal::unknown_token,
                          std::string("the coordinator gave out no such token, or long ago") + kNewLine};
    case InviteStanding::used_up:
      return EnrolRefused{EnrolRefusal::used_up,
                          std::string("this join line has been used as often as it allows") + kNewLine};
    case InviteStanding::expired:
      return EnrolRefused{EnrolRefusal::expired, std::string("this join line has expired") + kNewLine};
  }
  return std::nullopt;
}

EnrolRefused other_version(uint16_t theirs) {
  return {EnrolRefusal::other_version, "this worker speaks protocol version " + std::to_string(theirs) +
                                           ", the coordinator " + std::to_string(kProtocolVersion) +
                                           ": use one ranktide version on both sides"};
}

}  // namespace

EnrolDesk::EnrolDesk(std::filesystem::path keys_folder) : keys_folder_(std::move(keys_folder)) {
  for (const char* reason : EnumTexts<EnrolRefusal>::texts)
    refusals_.push_back({.door = "enrol", .reason = reason});
}

std::optional<EnrolMessage> EnrolDesk::answer(const std::string& public_key, std::string_view frame,
                                              Instant now, int64_t wall_ms) {
  auto said = look_at(public_key, frame, now, wall_ms);
  const auto* refused = said ? std::get_if<EnrolRefused>(&*said) : nullptr;
  if (refused) note(public_key, *refused);
  return said;
}

void EnrolDesk::note(const std::string& public_key, const EnrolRefused& refused) {
  const uint64_t count = ++*refusals_.at(static_cast<size_t>(refused.why)).count;
  if (std::has_single_bit(count))
    spdlog::warn("refused to enrol the key of fingerprint {}: {} ({} so since the start)",
                 fingerprint(public_key), refused.text, count);
}

std::optional<EnrolMessage> EnrolDesk::look_at(const std::string& public_key, std::string_view frame,
                                               Instant now, int64_t wall_ms) {
  if (is_over_limit(now))
    return EnrolRefused{EnrolRefusal::busy, "many ask to be enrolled; this one asks again"};
  try {
    const EnrolMessage message = decode_enrol_message(frame);
    const Enrol* enrol = std::get_if<Enrol>(&message);
    if (enrol == nullptr) return std::nullopt;
    return decide(public_key, *enrol, wall_ms);
  } catch (const ProtocolError& error) {
    spdlog::debug("not an enrolment: {}", error.what());
    return std::nullopt;
  } catch (const KeyError& error) {
    spdlog::error("a worker could not be enrolled: {}", error.what());
    return EnrolRefused{EnrolRefusal::busy, "the coordinator cannot write its keys now; its log says why"};
  }
}

// The use is taken before the key is enrolled (invites.h says why), so whatever else could refuse comes first.
EnrolMessage EnrolDesk::decide(const std::string& public_key, const Enrol& enrol, int64_t wall_ms) const {
  const std::filesystem::path table = keys_folder_ / "workers";
  if (enrol.protocol != kProtocolVersion) return other_version(enrol.protocol);
  if (const std::string fault = fault_of_worker_name(enrol.name); !fault.empty())
    return EnrolRefused{EnrolRefusal::bad_name, fault};
  if (WorkerKeys(table).standing(public_key) == KeyStanding::revoked)
    return EnrolRefused{EnrolRefusal::revoked_key, "this worker's key was revoked"};
  const auto refused = refusal_of(use_invite(keys_folder_ / "invites", enrol.token, public_key, wall_ms));
  if (refused) return *refused;
  const WorkerName name = enrol_worker(table, public_key, WorkerName{enrol.name});
  spdlog::info("enrolled worker {} (ranktide {}, fingerprint {})", name.text, enrol.version,
               fingerprint(public_key));
  return Enrolled{name.text};
}

bool EnrolDesk::is_over_limit(Instant now) {
  const double seconds = static_cast<double>((now - refilled_).count()) / 1000;
  allowance_ = std::min<double>(kEnrolBurst, allowance_ + seconds * kEnrolsPerSecond);
  refilled_ = now;
  if (allowance_ < 1) return true;
  allowance_ -= 1;
  return false;
}

}  // namespace ranktide

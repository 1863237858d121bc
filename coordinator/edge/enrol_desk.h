#pragma once
// Answers whoever asks to be enrolled: checks version, name and token, takes one use off the invite, and only
// then writes the key into the table of workers. Not the socket (enrol_door.h). Requests are limited, because
// any key may ask: beyond kEnrolsPerSecond, with kEnrolBurst saved up, they are told to come back later and
// nothing is read for them. Refusals are counted, and logged whenever a reason's count has doubled, so that
// neither a typing error nor a flood stays unseen or fills the log. Thread rule: one thread; the files may be
// changed by others at any time.

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

#include "common/net/enrol_protocol.h"
#include "common/vocabulary/time.h"
#include "coordinator/edge/refusal_counts.h"

namespace ranktide {

constexpr int kEnrolsPerSecond = 20;
constexpr int kEnrolBurst = 40;

class EnrolDesk {
 public:
  // keys_folder: holds `invites` and `workers`.
  explicit EnrolDesk(std::filesystem::path keys_folder);

  // public_key: what the sender's handshake proved. wall_ms: since 1970, what invites run out by.
  // Returns: Enrolled once the key is durably in the table, EnrolRefused with the reason, or nothing for a
  // frame that is no request.
  std::optional<EnrolMessage> answer(const std::string& public_key, std::string_view frame, Instant now,
                                     int64_t wall_ms);

  // Returns: refusals since the start, one count for each reason.
  const RefusalCounts& refusals() const { return refusals_; }

 private:
  std::optional<EnrolMessage> look_at(const std::string& public_key, std::string_view frame, Instant now,
                                      int64_t wall_ms);
  void note(const std::string& public_key, const EnrolRefused& refused);
  EnrolMessage decide(const std::string& public_key, const Enrol& enrol, int64_t wall_ms) const;
  bool is_over_limit(Instant now);

  std::filesystem::path keys_folder_;
  RefusalCounts refusals_;          // by EnrolRefusal
  double allowance_ = kEnrolBurst;  // requests that may still be looked at
  Instant refilled_;
};

}  // namespace ranktide

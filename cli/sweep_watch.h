#pragma once
// Follows one sweep while it runs and shows it: redrawn in place on a terminal, plain lines elsewhere. Reads
// counts from the database and progress from the coordinator's live picture; changes nothing.

#include <chrono>
#include <filesystem>
#include <map>
#include <optional>
#include <string>

#include "cli/command.h"
#include "cli/live_drawing.h"
#include "cli/sweep_plan.h"
#include "coordinator/edge/mailbox.h"
#include "coordinator/edge/reader.h"

namespace ranktide::cli {

// The slots of a worker that died without a word stand in the database until its next life has joined.
inline constexpr std::chrono::seconds kStuckAfter{10};

class SweepWatch {
 public:
  SweepWatch(const std::filesystem::path& data, const SweepPlan& plan, const GlobalOptions& globals);

  // Looks once and draws. Returns: whether every trial has ended and every eval that can be had is there.
  bool refresh(const LivePicture& live);
  // Returns: why nothing runs and nothing will, as long as no other worker comes: all that is left has fitted
  // no slot for kStuckAfter. Empty otherwise.
  std::string stuck() const;
  LiveDrawing& drawing() { return drawing_; }

 private:
  LiveFrame frame_of(const LivePicture& live, bool& finished);

  Reader reader_;
  std::string sweep_;
  int64_t trials_total_;
  std::map<std::string, std::string> labels_;  // unit -> label
  LiveDrawing drawing_;
  std::string waiting_;  // of the last look
  std::optional<std::chrono::steady_clock::time_point> nothing_fits_since_;
  std::chrono::steady_clock::time_point started_;
  std::optional<int64_t> ended_at_start_;  // trials with an end before this watch began
};

}  // namespace ranktide::cli

#pragma once
// The worker's spool: a folder with one spool file per attempt, `<unit>.<attempt>.spool`, kept as the agent's
// effects say. Not a second memory: the agent holds the entries, this is what outlives the process. Thread
// rule: one thread; one object per folder.

#include <filesystem>
#include <map>
#include <memory>
#include <vector>

#include "worker/agent/agent.h"
#include "worker/daemon/spool_file.h"

namespace ranktide {

// A file that fails (full disk) is given up with a warning and its attempt goes on from memory: a crash of the
// worker then costs that attempt's tail, which is done again from its checkpoint. A full disk must not stop
// training.
class Spool {
 public:
  // Makes the folder when it is absent. Throws: SpoolError.
  explicit Spool(std::filesystem::path folder);

  // Returns: what former lives left, in order of lease. A file that cannot be read is set aside as
  // *.unreadable.
  std::vector<SpooledAttempt> load();
  // Carries out the actions in order, then syncs once each file that has an append asking for it.
  void apply(const std::vector<SpoolAction>& actions);

 private:
  void on(const SpoolAppend& append);
  void on(const SpoolDrop& drop);
  void on(const SpoolForget& forget);
  std::filesystem::path path_of(const Lease& lease) const;
  void give_up(const Lease& lease, const SpoolError& error);

  std::filesystem::path folder_;
  std::map<Lease, std::unique_ptr<SpoolFile>> files_;  // null: given up
};

}  // namespace ranktide

#pragma once
// How `ranktide worker` comes to run: which coordinator it belongs to (joining it first where it must) and
// which slots it offers. It asks and measures; it serves nothing. One thread.

#include <filesystem>
#include <string>
#include <vector>

#include "common/net/keys.h"
#include "common/vocabulary/protocol.h"
#include "worker/daemon/joined.h"

namespace ranktide::cli {

struct JoinOptions {
  std::string join;         // a join line, "-" for standard input, or the file that holds it
  std::string coordinator;  // tcp://host:port of the link
  std::string server_key;   // with --coordinator: the key, or a file with it
  std::string name;         // wanted
};

// Returns: where to connect. A join line that this folder was enrolled with before, under the key that it still
// has, is not used again, so that a service may keep its line in its unit file; another line enrols, also where
// the coordinator is known. A line that is gone, cut or refused does not keep a worker out that joined before:
// it goes on by its key, and the log says why. Throws: CommandError with a code of sysexits.h; JoinLineError,
// EnrolmentError, KeyError.
Joined find_coordinator(const JoinOptions& options, const std::filesystem::path& folder, const KeyPair& keys);

struct SlotOptions {
  int slots = 0;             // 0: as many as fit
  int threads_per_slot = 0;  // 0: one of a core's slot, a share of the cores of a GPU's
  std::string gpus;          // indices or UUIDs as in CUDA_VISIBLE_DEVICES; "none"; empty: all that are usable
  std::string labels;        // for every slot, comma-separated
};

// Returns: what this machine offers, and says it in the log. Throws: DeviceError; CommandError for a label that
// is none.
std::vector<Slot> find_slots(const SlotOptions& options);

// Returns: this machine's name, with what no worker name may have replaced.
std::string default_worker_name();

}  // namespace ranktide::cli

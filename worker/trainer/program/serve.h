#pragma once
// The long-lived child of a worker: takes works from one pipe, one at a time, and tells what becomes of them on
// another. No work can end it, however it fails; only the end of the command pipe does, or a dead device.

#include <filesystem>
#include <string>

namespace ranktide {

// Exit codes of serve, beside kExitOk for "told to stop".
constexpr int kExitDevice = 71;    // the device's context is dead; the worker starts a fresh trainer
constexpr int kExitBadStart = 78;  // descriptors, folders or device are not usable; never retried

struct ServeOptions {
  std::filesystem::path work_dir;
  int threads = 1;
  std::string device = "cpu";  // or cuda
};

// Returns: the exit code. Requires: called once per process, from the thread that then is the engine's.
int serve(const ServeOptions& options);

}  // namespace ranktide

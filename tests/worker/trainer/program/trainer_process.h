#pragma once
// The real ranktide-trainer as a child of a test: its windows run to their end, its serve driven over two
// pipes.

#include <chrono>
#include <filesystem>
#include <optional>
#include <string>
#include <sys/types.h>
#include <vector>

#include "common/vocabulary/trainer_protocol.h"

namespace ranktide {

struct Ended {
  int exit_code = -1;  // 128 + signal when it was killed
  std::string out;
  std::string err;
};

// Runs a window with `input` on standard input; its output goes through files in `folder`.
Ended run_window(std::vector<std::string> arguments, const std::filesystem::path& folder,
                 const std::string& input = "");

// Runs serve as a shell would start it by hand: without the two descriptors.
Ended run_serve_without_pipes(const std::filesystem::path& work_dir, const std::filesystem::path& folder);

class TrainerProcess {
 public:
  // Starts `serve --work-dir work_dir --threads 1`; standard error goes to `log`.
  TrainerProcess(const std::filesystem::path& work_dir, std::filesystem::path log);
  ~TrainerProcess();
  TrainerProcess(const TrainerProcess&) = delete;
  TrainerProcess& operator=(const TrainerProcess&) = delete;

  void send(const TrainerCommand& command);
  void send_bytes(const std::string& bytes);
  // Returns: the next report; nullopt when the process ended, or said nothing for a minute.
  std::optional<TrainerReport> next();
  void close_commands();
  // Limits its address space to what it has by now and so many bytes more.
  void leave_room_for(int64_t bytes);
  void kill();
  // Waits for the end. Returns: exit code, or 128 + signal.
  int wait();
  std::string log() const;

 private:
  std::filesystem::path log_;
  pid_t pid_ = -1;
  int commands_ = -1;
  int reports_ = -1;
  std::string incoming_;
};

}  // namespace ranktide

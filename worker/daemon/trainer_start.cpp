#include "worker/daemon/trainer_start.h"

namespace ranktide {

ChildConfig trainer_start(const std::filesystem::path& program, const std::filesystem::path& work_folder,
                          const std::vector<std::string>& more, const Slot& slot) {
  const bool is_gpu = slot.device != "cpu";
  ChildConfig out{.program = program,
                  .arguments = {"serve", "--work-dir", work_folder.string(), "--threads",
                                std::to_string(slot.threads), "--device", is_gpu ? "cuda" : "cpu"},
                  .threads = slot.threads,
                  .gpu = is_gpu ? slot.device : ""};
  out.arguments.insert(out.arguments.end(), more.begin(), more.end());
  return out;
}

}  // namespace ranktide

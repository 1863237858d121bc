#include "worker/trainer/program/report_pipe.h"

#include <cerrno>
#include <cstring>
#include <unistd.h>

namespace ranktide {

void ReportPipe::send(const TrainerReport& report) {
  const std::string frame = encode(report);
  size_t sent = 0;
  while (sent < frame.size()) {
    const ssize_t n = ::write(fd_, frame.data() + sent, frame.size() - sent);
    if (n >= 0)
      sent += static_cast<size_t>(n);
    else if (errno != EINTR)
      throw PipeClosed(std::string("reports cannot be written: ") + std::strerror(errno));
  }
}

}  // namespace ranktide

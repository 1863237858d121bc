#include "cli/consent.h"

#include <iostream>
#include <unistd.h>

#include "cli/command.h"
#include "cli/exit_codes.h"

namespace ranktide::cli {

void require_consent(const std::string& question, bool is_sure, const std::string& refusal) {
  if (is_sure || !::isatty(STDIN_FILENO)) return;
  std::cerr << question << " [y/N] ";
  std::string answer;
  std::getline(std::cin, answer);
  if (answer != "y" && answer != "Y" && answer != "yes") throw CommandError(kFailed, refusal);
}

}  // namespace ranktide::cli

#pragma once
// Asks before what cannot be taken back. Asks only people: what is piped or scripted says what it means, so
// that nothing ever needs a terminal. One thread.

#include <string>

namespace ranktide::cli {

// Asks `question` unless the user was sure (--yes) or standard input is no terminal.
// Throws: CommandError of code kFailed with `refusal` when the answer is not yes.
void require_consent(const std::string& question, bool is_sure, const std::string& refusal);

}  // namespace ranktide::cli

#pragma once
// What an image of a Dockerfile with several stages comes to: its instructions, those of the stages that it
// stands on included. No shell and no variables. Pure; any thread.

#include <optional>
#include <string>
#include <vector>

namespace ranktide::deploy {

struct Instruction {
  std::string word;  // "USER"
  std::string rest;  // with continued lines joined
};

// Returns: of the stage `name` and those below it, in order; empty when there is no such stage.
std::vector<Instruction> instructions_of(const std::string& dockerfile, const std::string& name);
// Returns: the text without the instructions of that word, as if somebody had taken them out.
std::string without(const std::string& dockerfile, const std::string& word);

// Returns: what an image of ranktide must have and this one has not, a sentence each: a user without rights,
// tini as its first process, TERM as the signal that stops it, and where `is_asked` a health check by `ranktide
// health`.
std::vector<std::string> faults_of_image(const std::string& dockerfile, const std::string& name, bool is_asked);

}  // namespace ranktide::deploy

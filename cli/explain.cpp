#include "cli/explain.h"

#include <algorithm>
#include <fmt/format.h>
#include <iostream>

#include "cli/command.h"
#include "cli/exit_codes.h"
#include "common/sweep/suggest.h"
#include "common/sweep/sweep_yaml.h"

namespace ranktide::cli {
namespace {

void keep_block(std::vector<KeyOrigins>& blocks, const std::string& name) {
  std::vector<std::string> names;
  for (const KeyOrigins& of : blocks) names.push_back(of.block);
  const std::vector<std::string_view> candidates(names.begin(), names.end());
  std::erase_if(blocks, [&](const KeyOrigins& of) { return of.block != name; });
  if (blocks.empty())
    throw SpecError("--block: there is no block \"" + name + "\"" + nearest_remedy(name, candidates));
}

void print_block(const KeyOrigins& of) {
  std::cout << of.key << " in block " << of.block
            << (of.idle.empty() ? "" : ": without effect, for it has " + of.idle) << "\n";
  size_t level_width = 0, says_width = 0;
  for (const KeyOrigin& origin : of.origins) {
    level_width = std::max(level_width, origin.level.size());
    says_width = std::max(says_width, origin.says.size());
  }
  for (const KeyOrigin& origin : of.origins) {
    std::string line = fmt::format("  {} {:<{}}  {:<{}}  {}", origin.wins ? "*" : " ", origin.level,
                                   level_width, origin.says, says_width, origin.where);
    line.erase(line.find_last_not_of(' ') + 1);
    std::cout << line << "\n";
  }
}

}  // namespace

int explain_key(const SweepChoice& choice, const std::string& key, const std::string& block,
                const GlobalOptions& globals) {
  auto blocks = origins_in_sweep(choice.file, choice.overrides, choice.max_trials, key);
  if (!block.empty()) keep_block(blocks, block);
  if (globals.json) {
    std::cout << Json{{"blocks", to_json(blocks)}}.dump(2) << "\n";
    return kOk;
  }
  for (const KeyOrigins& of : blocks) print_block(of);
  return kOk;
}

}  // namespace ranktide::cli

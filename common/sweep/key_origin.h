#pragma once
// Where a key's value in a block comes from: every level of the file and of the command line that says
// something of the key, the one that counts first. Decides nothing: precedence is sweep_level.h's. Pure.

#include <string>
#include <vector>

#include "common/sweep/sweep_draft.h"

namespace ranktide {

struct KeyOrigin {
  std::string
      level;  // "command line", "block", "like lora", "common" (axes, rows, zip, derive), "plain", "default"
  std::string says;   // what it says of the key: a value, [1, 2], = an expression
  std::string where;  // file:line:column; the override itself; empty for a default
  bool wins = false;  // of several each where it says, or where those before it leave the key alone
  // Not written:
  bool drops = false;       // sets nothing, but takes an axis away
  bool is_gone = false;     // an axis that the block has no more
  std::string elsewhere{};  // where it leaves the key to the levels below; empty: nowhere
};
template <class Ar>
void fields(Ar& ar, KeyOrigin& o) {
  ar("level", o.level)("says", o.says)("where", o.where)("wins", o.wins);
}

struct KeyOrigins {  // of one block
  std::string block;
  std::string key;                 // full
  std::vector<KeyOrigin> origins;  // the highest level first; the default is always the last
  std::string idle;                // "method: full", which leaves the key without effect, so that none wins
};
template <class Ar>
void fields(Ar& ar, KeyOrigins& o) {
  ar("block", o.block)("key", o.key)("origins", o.origins)("idle", o.idle);
}

// `key` may be a unique last part. `spec` is the draft with the overrides applied. Returns: beside spec.blocks.
// Throws: SpecError with a did-you-mean for a key that is none.
std::vector<KeyOrigins> origins_of(const std::string& key, const SweepDraft& draft, const SweepSpec& spec,
                                   const std::vector<std::string>& overrides, const SourceText& source);

}  // namespace ranktide

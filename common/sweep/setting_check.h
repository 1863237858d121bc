#pragma once
// The check of one setting's canonical JSON, wherever it came from: a file, an override, a derivation, the
// wire. Ranges, choices and names are judged here and nowhere else. Pure functions.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/sweep/settings.h"

namespace ranktide {

// Returns: what is wrong with a canonical value ("takes a number from 0 to 1, got 3"); nullopt when it is fine.
std::optional<std::string> refusal(const Setting& setting, const Json& value);

// Returns: "a number", "one of lora, full", ...: what messages say that a setting takes.
std::string expectation(const Setting& setting);

// Returns: the canonical value that an expression's result gives this setting, to 6 significant digits.
// Throws: SpecError naming the key when it does not fit (a fraction for a count, a number for a choice).
Json derived_value(const Setting& setting, const Json& result);

// Returns: full module names, sorted, of attn, mlp, all or names joined by +; empty when one is unknown or
// repeated.
std::vector<std::string> modules_of(const std::string& target);

// Returns: whether this names one module (q_proj), not a group.
bool is_module(const std::string& name);

// When an eval runs, as written under eval.at.
struct Moment {
  enum class Kind { steps, share, epochs, end };
  Kind kind = Kind::end;
  double amount = 0;  // steps, share of the budget, or epochs
};

// Returns: the moment of "0", "50%", "2 epochs" or "end"; nullopt for anything else.
std::optional<Moment> read_moment(std::string_view text);

// Returns: whether this may name a sweep, block, axis, label or eval: [A-Za-z0-9][A-Za-z0-9._-]{0,63}.
bool is_name(std::string_view text);
// Returns: the message for one that may not. `what` reads "a block's name".
std::string name_refusal(const std::string& what, const std::string& text);

}  // namespace ranktide

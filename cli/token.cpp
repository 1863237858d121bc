// `ranktide token`: who may use a coordinator over HTTP. Works on the data folder's file; a coordinator that
// serves it notices by itself.

#include <fmt/chrono.h>
#include <fmt/format.h>
#include <iostream>
#include <stdexcept>

#include "cli/command.h"
#include "cli/exit_codes.h"
#include "cli/folders.h"
#include "common/net/clock.h"
#include "common/sweep/scalar_text.h"
#include "coordinator/edge/token_table.h"

namespace ranktide::cli {
namespace fs = std::filesystem;

namespace {

struct TokenOptions {
  std::string name;
  std::string scope = "submit";
  std::string expires;
  std::optional<int> max_slots;
};

// Runs what may be refused for what the user said.
template <class Act>
int or_exit(int exit_code, Act act) {
  try {
    return act();
  } catch (const std::invalid_argument& refused) {
    throw CommandError(exit_code, refused.what());
  }
}

// Returns: the moment that "90m", "12h" or "30d" from now stands for.
std::optional<int64_t> expiry_of(const std::string& text, int64_t now_ms) {
  if (text.empty()) return std::nullopt;
  const auto good_for = read_duration_ms(text);
  if (!good_for || *good_for <= 0)
    throw CommandError(kUsage, "--expires: \"" + text + "\" is not a time such as 90m, 12h or 30d");
  return now_ms + *good_for;
}

std::string date_text(const std::optional<int64_t>& unix_ms) {
  return unix_ms ? fmt::format("{:%Y-%m-%d %H:%M}Z", fmt::gmtime(static_cast<std::time_t>(*unix_ms / 1000)))
                 : "-";
}

Json shown(const Token& token, int64_t now_ms) {
  Json out = to_json(token);
  out.erase("sha256");
  out.erase("is_revoked");
  out["standing"] = text_of(standing_of(token, now_ms));
  return out;
}

int add(const TokenOptions& options, const fs::path& file, const GlobalOptions& globals) {
  const int64_t now_ms = wall_clock_ms();
  const Token token{.name = options.name,
                    .scope = *enum_of<Scope>(options.scope),
                    .max_slots = options.max_slots,
                    .expires_ms = expiry_of(options.expires, now_ms)};
  const std::string secret = add_token(file, token, now_ms);
  if (globals.json) {
    Json out = shown(token, now_ms);
    out["token"] = secret;
    std::cout << out.dump(2) << "\n";
  } else {
    std::cout << secret << "\n";
  }
  std::cerr << "keep it in a file of mode 0600 and name that in RANKTIDE_TOKEN_FILE; it is not shown again\n";
  return kOk;
}

int list(const fs::path& file, bool as_json) {
  const int64_t now_ms = wall_clock_ms();
  const TokenTable table(file);
  Json all = Json::array();
  for (const Token& token : table.tokens()) {
    all.push_back(shown(token, now_ms));
    if (!as_json)
      std::cout << fmt::format("{:<20} {:<7} {:<8} slots {:<5} expires {}\n", token.name, text_of(token.scope),
                               text_of(standing_of(token, now_ms)),
                               token.max_slots ? std::to_string(*token.max_slots) : "-",
                               date_text(token.expires_ms));
  }
  if (as_json) std::cout << all.dump(2) << "\n";
  return kOk;
}

int revoke(const TokenOptions& options, const fs::path& file, bool as_json) {
  revoke_token(file, options.name, wall_clock_ms());
  if (as_json) std::cout << Json{{"name", options.name}, {"standing", "revoked"}}.dump(2) << "\n";
  return kOk;
}

}  // namespace

std::function<int()> setup_token(CLI::App& command, const GlobalOptions& globals) {
  const auto options = std::make_shared<TokenOptions>();
  command.require_subcommand(1);
  command.fallthrough();
  auto* const adding = command.add_subcommand("add", "make a token and print it, once");
  adding->add_option("name", options->name, "whose it is; owns the sweeps submitted with it")->required();
  adding->add_option("--scope", options->scope, "read, submit (reads too) or admin (everything)")
      ->check(CLI::IsMember({"read", "submit", "admin"}))
      ->capture_default_str();
  adding->add_option("--max-slots", options->max_slots, "slots that all its sweeps may use at a time")
      ->check(CLI::Range(1, 1'000'000));
  adding->add_option("--expires", options->expires, "good for so long: 90m, 12h, 30d; default: for ever");
  auto* const listing = command.add_subcommand("list", "names, scopes and standing; never the tokens");
  auto* const revoking = command.add_subcommand("revoke", "refuse a token from now on");
  revoking->add_option("name", options->name, "whose token")->required();
  return [=, &globals] {
    const fs::path file = tokens_file(data_folder(globals.data_dir));
    if (listing->parsed()) return list(file, globals.json);
    if (adding->parsed()) return or_exit(kUsage, [&] { return add(*options, file, globals); });
    return or_exit(kNotFound, [&] { return revoke(*options, file, globals.json); });
  };
}

}  // namespace ranktide::cli

// `ranktide compare`: in which settings two sweeps, or two trials, differ.

#include <algorithm>
#include <fmt/format.h>
#include <iostream>

#include "cli/command.h"
#include "cli/exit_codes.h"
#include "cli/plan_difference.h"
#include "cli/results.h"
#include "cli/trial_difference.h"

namespace ranktide::cli {
namespace {

struct CompareOptions {
  std::string a, b;
};

void print_pairs(const std::vector<SettingPair>& pairs, const std::string& a, const std::string& b) {
  size_t key_width = 5, a_width = 12;
  for (const SettingPair& pair : pairs) {
    key_width = std::max(key_width, pair.key.size());
    a_width = std::max(a_width, shown_value(pair, pair.a).size());
  }
  std::cout << fmt::format("{:<{}}  {:<{}}  {}\n", "trial", key_width, a.substr(0, 12), a_width,
                           b.substr(0, 12));
  for (const SettingPair& pair : pairs)
    std::cout << fmt::format("{:<{}}  {:<{}}  {}\n", pair.key, key_width, shown_value(pair, pair.a), a_width,
                             shown_value(pair, pair.b));
}

int compare_trials(const Results& results, const CompareOptions& options, bool json) {
  const std::string a = full_trial_id(results, options.a), b = full_trial_id(results, options.b);
  const auto pairs = differing_settings(results.settings(a), results.settings(b));
  if (json) {
    Json rows = Json::array();
    for (const SettingPair& pair : pairs) rows.push_back({{"key", pair.key}, {"a", pair.a}, {"b", pair.b}});
    std::cout << Json{{"a", a}, {"b", b}, {"settings", rows}}.dump(2) << "\n";
  } else if (a == b) {
    std::cout << "both are trial " << a.substr(0, 12) << "\n";
  } else if (pairs.empty()) {
    std::cout << "no setting differs: the content of their model or data does\n";  // an older coordinator's
  } else {
    print_pairs(pairs, a, b);
  }
  return kOk;
}

int compare_sweeps(const Results& results, const CompareOptions& options, bool json) {
  const PlanDifference difference = difference_to(results.spec(options.a), results.spec(options.b));
  if (json)
    std::cout << Json{{"a", options.a}, {"b", options.b}, {"diff", to_json(difference)}}.dump(2) << "\n";
  else
    std::cout << text_of(difference);
  return kOk;
}

bool is_sweep(const std::vector<SweepStatus>& sweeps, const std::string& name) {
  return std::any_of(sweeps.begin(), sweeps.end(), [&](auto& sweep) { return sweep.name == name; });
}

int compare(const CompareOptions& options, const GlobalOptions& globals) {
  const Results results(globals);
  const auto sweeps = results.sweeps("");
  const bool a_is = is_sweep(sweeps, options.a), b_is = is_sweep(sweeps, options.b);
  if (a_is && b_is) return compare_sweeps(results, options, globals.json);
  if (a_is || b_is)
    throw CommandError(kNotFound, "no sweep named \"" + (a_is ? options.b : options.a) +
                                      "\", and a sweep compares with a sweep only; `ranktide list` names them");
  return compare_trials(results, options, globals.json);
}

}  // namespace

std::function<int()> setup_compare(CLI::App& command, const GlobalOptions& globals) {
  const auto options = std::make_shared<CompareOptions>();
  command.add_option("A", options->a, "a sweep's name, or the beginning of a trial's id")->required();
  command.add_option("B", options->b, "another one of its kind")->required();
  return [options, &globals] { return compare(*options, globals); };
}

}  // namespace ranktide::cli

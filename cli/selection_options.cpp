#include "cli/selection_options.h"

namespace ranktide::cli {

void add_selection_options(CLI::App& command, std::vector<std::string>& select, std::string& select_on,
                           bool& keeps_tuned) {
  command
      .add_option("--select", select,
                  "of an axis only the best value, row by row: lr=best:learning, by any metric (forgetting: "
                  "the lowest; "
                  "METRIC:min, METRIC:max say it outright); without it what the sweep's `tune` names")
      ->delimiter(',');
  command.add_option(
      "--select-on", select_on,
      "by what that best is chosen: an eval that is not among the results shown keeps them honest");
  command.add_flag("--no-select", keeps_tuned, "every value of tuned axes");
}

}  // namespace ranktide::cli

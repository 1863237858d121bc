#include "cli/sweep_errors.h"

#include <iostream>

#include "cli/command.h"
#include "common/vocabulary/wire.h"

namespace ranktide::cli {

void print_sweep_errors(const SpecError& error, const GlobalOptions& globals) {
  Json list = Json::array();
  for (const SpecError& one : error.each.empty() ? std::vector<SpecError>{error} : error.each) {
    std::cerr << "error: " << one.what() << "\n" << one.excerpt;
    if (!one.excerpt.empty() && !one.excerpt.ends_with("\n")) std::cerr << "\n";
    Json entry{{"message", one.what()}};
    if (one.place.line > 0) entry.update({{"line", one.place.line}, {"column", one.place.column}});
    list.push_back(std::move(entry));
  }
  std::cerr << "hint: ranktide help sweep-file\n";
  // A file's name may be no UTF-8, which JSON has to be.
  if (globals.json)
    std::cout << Json{{"errors", std::move(list)}}.dump(2, ' ', false, Json::error_handler_t::replace) << "\n";
}

}  // namespace ranktide::cli

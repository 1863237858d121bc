// `ranktide report`: the sweep's HTML page.

#include <filesystem>
#include <fstream>
#include <iostream>

#include "cli/command.h"
#include "cli/exit_codes.h"
#include "cli/folders.h"
#include "cli/report_file.h"
#include "cli/results.h"
#include "cli/selection_options.h"
#include "cli/version.h"
#include "common/vocabulary/wire.h"

namespace ranktide::cli {
namespace fs = std::filesystem;

void write_report(const std::string& html, const fs::path& file) {
  if (file.has_parent_path()) fs::create_directories(file.parent_path());
  const fs::path draft = file.string() + ".draft";
  std::ofstream out(draft, std::ios::binary);
  out << html;
  out.close();
  if (!out) throw CommandError(kFailed, "cannot write " + file.string() + "; give another place with -o FILE");
  fs::rename(draft, file);
}

fs::path default_report_file(const fs::path& data, const std::string& sweep) {
  return data / "reports" / sweep / "report.html";
}

namespace {

struct ReportOptions {
  ReportRequest request;
  std::string file;
};

int run_report(const ReportOptions& options, const GlobalOptions& globals) {
  const fs::path data = data_folder(globals.data_dir);
  const fs::path file =
      options.file.empty() ? default_report_file(data, options.request.sweep) : fs::path(options.file);
  write_report(Results(globals).report(options.request), file);
  if (globals.json)
    std::cout << Json{{"report", file.string()}}.dump() << "\n";
  else
    std::cout << file.string() << "\n";
  return kOk;
}

}  // namespace

std::function<int()> setup_report(CLI::App& command, const GlobalOptions& globals) {
  const auto options = std::make_shared<ReportOptions>();
  options->request.program_version = kVersion;
  command.add_option("sweep", options->request.sweep, "name of the sweep")->required();
  add_selection_options(command, options->request);
  command.add_option("-o,--output", options->file,
                     "file to write; default: reports/SWEEP/report.html in the data folder");
  return [options, &globals] { return run_report(*options, globals); };
}

}  // namespace ranktide::cli

// `ranktide import`: another tool's sweep or training file as one of ours.

#include "common/sweep/import/import.h"

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fmt/format.h>
#include <fstream>
#include <iostream>

#include "cli/command.h"
#include "cli/exit_codes.h"
#include "common/vocabulary/wire.h"

namespace ranktide::cli {
namespace fs = std::filesystem;

namespace {

struct ImportOptions {
  std::string tool;
  std::string file;
  std::string output;  // empty: standard output
};

ForeignTool tool_of(const std::string& word) {
  if (word == "wandb") return ForeignTool::wandb;
  return word == "hydra" ? ForeignTool::hydra : ForeignTool::axolotl;
}

std::string foreign_text(std::istream& in, const std::string& name) {
  std::string out(kYamlBytesMax + 1, '\0');  // one byte more than is read, so that a longer file is refused
  in.read(out.data(), static_cast<std::streamsize>(out.size()));
  if (in.bad()) throw CommandError(kUsage, fmt::format("cannot read {} ({})", name, std::strerror(errno)));
  out.resize(static_cast<size_t>(in.gcount()));
  return out;
}

SourceText foreign_source(const std::string& file) {
  if (file == "-") return {"stdin", foreign_text(std::cin, "standard input")};
  std::ifstream in(file, std::ios::binary);
  if (!in || fs::is_directory(file))
    throw CommandError(kUsage, fmt::format("cannot read {}; give the path of a YAML file", file));
  return {file, foreign_text(in, file)};
}

// What was edited since is not lost.
void write_new(const std::string& text, const fs::path& file) {
  if (fs::exists(file))
    throw CommandError(kFailed, fmt::format("{} is there already; give another name with -o", file.string()));
  std::ofstream out(file, std::ios::binary);
  out << text;
  out.close();
  if (!out)
    throw CommandError(kFailed, fmt::format("cannot write {} ({})", file.string(), std::strerror(errno)));
}

void say_what_is_left(const Imported& imported, const ImportOptions& options) {
  const std::string file = options.output.empty() ? "FILE" : options.output;
  if (imported.left.empty()) {
    std::cerr << fmt::format("it reads as it stands: ranktide plan {}\n", file);
    return;
  }
  std::cerr << "left to do:\n";
  for (const auto& line : imported.left) std::cerr << "  " << line << "\n";
  std::cerr << fmt::format("then: ranktide plan {}\n", file);
}

int run_import(const ImportOptions& options, const GlobalOptions& globals) {
  const SourceText source = foreign_source(options.file);
  const Imported imported = import_sweep(tool_of(options.tool), source, fs::path(options.file).stem().string());
  if (!options.output.empty()) write_new(imported.yaml, options.output);
  if (globals.json)
    std::cout << Json{{"yaml", imported.yaml}, {"left", imported.left}}.dump(2) << "\n";
  else if (options.output.empty())
    std::cout << imported.yaml;
  if (!globals.quiet && !globals.json) say_what_is_left(imported, options);
  return kOk;
}

}  // namespace

std::function<int()> setup_import(CLI::App& command, const GlobalOptions& globals) {
  const auto options = std::make_shared<ImportOptions>();
  command.add_option("tool", options->tool, "wandb, hydra or axolotl")
      ->required()
      ->check(CLI::IsMember({"wandb", "hydra", "axolotl"}));
  command.add_option("file", options->file, "its YAML file; - is standard input")->required();
  command.add_option("-o,--output", options->output, "sweep file to write; without it, it is printed");
  return [options, &globals] { return run_import(*options, globals); };
}

}  // namespace ranktide::cli

#include "cli/man_pages.h"

#include <algorithm>
#include <filesystem>
#include <fmt/format.h>
#include <fstream>
#include <iostream>

#include "cli/command.h"
#include "cli/exit_codes.h"
#include "cli/version.h"
#include "common/vocabulary/wire.h"

namespace ranktide::cli {
namespace fs = std::filesystem;

namespace {

// A backslash begins a request, a bare dash is a hyphen, and a point or quote begins a control line.
std::string escaped(const std::string& text) {
  std::string out;
  for (const char c : text) {
    if (out.empty() && (c == '.' || c == '\'')) out += "\\&";
    if (c == '\\')
      out += "\\e";
    else
      out += c == '-' ? std::string("\\-") : std::string(1, c);
  }
  return out;
}

std::string bold(const std::string& text) {
  return "\\fB" + escaped(text) + "\\fR";
}
std::string italic(const std::string& text) {
  return "\\fI" + escaped(text) + "\\fR";
}

std::string page_name(const CommandOutline& command) {
  std::string name = command.path;
  std::replace(name.begin(), name.end(), ' ', '-');
  return name;
}

std::string synopsis(const CommandOutline& command) {
  std::string out = bold(command.path);
  if (!command.options.empty()) out += " [" + italic("options") + "]";
  if (!command.commands.empty()) out += " " + italic("command") + " ...";
  for (const OptionOutline& p : command.positionals) {
    const std::string word = italic(p.names[0]) + (p.is_repeated ? " ..." : "");
    out += p.is_required ? " " + word : " [" + word + "]";
  }
  return out + "\n";
}

std::string option_names(const OptionOutline& option) {
  std::vector<std::string> names;
  for (const std::string& name : option.names) names.push_back(bold(name));
  const std::string value = option.choices.empty() ? option.value : CLI::detail::join(option.choices, "|");
  return CLI::detail::join(names, ", ") + (option.value.empty() ? "" : " " + italic(value));
}

std::string entry(const std::string& title, const std::string& text) {
  return ".TP\n" + title + "\n" + escaped(text) + "\n";
}

std::string option_entries(const CommandOutline& command) {
  std::string out;
  for (const OptionOutline& p : command.positionals) out += entry(italic(p.names[0]), p.text);
  for (const OptionOutline& option : command.options) out += entry(option_names(option), option.text);
  return out;
}

std::string command_entries(const CommandOutline& command) {
  std::string out;
  for (const CommandOutline& below : command.commands) out += entry(bold(below.path), below.text);
  return out;
}

std::string section(const std::string& title, const std::string& body) {
  return body.empty() ? "" : ".SH " + title + "\n" + body;
}

std::string example(const CommandOutline& command) {
  return command.example.empty() ? "" : ".nf\n" + escaped(command.example) + "\n.fi\n";
}

// The parent's page and those of the commands below, as "name (1)".
std::string see_also(const CommandOutline& command, const CommandOutline* parent) {
  std::vector<std::string> pages;
  if (parent) pages.push_back(bold(page_name(*parent)) + "(1)");
  for (const CommandOutline& below : command.commands) pages.push_back(bold(page_name(below)) + "(1)");
  return pages.empty() ? "" : CLI::detail::join(pages, ",\n") + "\n";
}

std::string page_of(const CommandOutline& command, const CommandOutline* parent) {
  const std::string name = page_name(command);
  return fmt::format(".TH {} 1 \"\" \"ranktide {}\" \"User Commands\"\n", CLI::detail::to_lower(name),
                     kVersion) +
         section("NAME", fmt::format("{} \\- {}\n", escaped(name), escaped(command.text))) +
         section("SYNOPSIS", synopsis(command)) + section("COMMANDS", command_entries(command)) +
         section("OPTIONS", option_entries(command)) + section("EXAMPLE", example(command)) +
         section("EXIT STATUS", bold("ranktide help exit-codes") + " lists what each status says.\n") +
         section("SEE ALSO", see_also(command, parent));
}

void add_pages(std::vector<ManPage>& pages, const CommandOutline& command, const CommandOutline* parent) {
  pages.push_back({page_name(command) + ".1", page_of(command, parent)});
  for (const CommandOutline& below : command.commands) add_pages(pages, below, &command);
}

int write_pages(const CommandOutline& root, const fs::path& folder, bool json) {
  std::error_code failed;
  fs::create_directories(folder, failed);
  std::vector<std::string> written;
  for (const ManPage& page : man_pages(root)) {
    std::ofstream out(folder / page.file);
    out << page.text;
    if (!out.flush())
      throw CommandError(kFailed, (folder / page.file).string() + " cannot be written; name another folder");
    written.push_back((folder / page.file).string());
  }
  std::cout << (json ? Json(written).dump(2) : fmt::format("{}", fmt::join(written, "\n"))) << "\n";
  return kOk;
}

}  // namespace

std::vector<ManPage> man_pages(const CommandOutline& root) {
  std::vector<ManPage> pages;
  add_pages(pages, root, nullptr);
  return pages;
}

std::function<int()> setup_man_pages(CLI::App& command, const GlobalOptions& globals) {
  const auto folder = std::make_shared<std::string>();
  command.add_option("folder", *folder, "where they go, for one ~/.local/share/man/man1; made if it is absent")
      ->required();
  return [&command, &globals, folder] {
    return write_pages(outline_of(*command.get_parent()), *folder, globals.json);
  };
}

}  // namespace ranktide::cli

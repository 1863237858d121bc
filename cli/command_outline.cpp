#include "cli/command_outline.h"

#include <algorithm>

namespace ranktide::cli {
namespace {

// CLI11 writes a set of choices as "TEXT:{a,b}" and nowhere else.
std::vector<std::string> choices_in(const std::string& type) {
  const std::size_t open = type.find('{');
  if (open == std::string::npos) return {};
  return CLI::detail::split(type.substr(open + 1, type.find('}', open) - open - 1), ',');
}

OptionOutline outline_of_option(const CLI::Option& option) {
  OptionOutline out;
  for (const std::string& name : option.get_snames()) out.names.push_back("-" + name);
  for (const std::string& name : option.get_lnames()) out.names.push_back("--" + name);
  if (option.get_positional()) out.names = {option.get_name(true)};
  const std::string type = option.get_type_name();
  if (option.get_items_expected_max() > 0) out.value = type.substr(0, type.find(':'));
  out.choices = choices_in(type);
  out.text = option.get_description();
  out.is_required = option.get_required();
  out.is_repeated = option.get_items_expected_max() >= CLI::detail::expected_max_vector_size;
  return out;
}

std::string path_of(const CLI::App& app) {
  const CLI::App* parent = app.get_parent();
  return parent ? path_of(*parent) + " " + app.get_name() : app.get_name();
}

// A footer is inherited: the example counts where it is one of this command.
std::string example_in(const std::string& footer, const std::string& path) {
  static const std::string kTitle = "Example:\n";
  const std::size_t at = footer.find(kTitle);
  if (at == std::string::npos) return "";
  const std::string example = CLI::detail::trim_copy(footer.substr(at + kTitle.size()));
  return example.find(path) == std::string::npos ? "" : example;
}

// Options that stand after `app` on the command line, and are its parent's where it does not know them. The
// program's own (--version) make no sense there.
void add_options(CommandOutline& out, const CLI::App& app) {
  for (const CLI::Option* option : app.get_options()) {
    if (option->get_group().empty()) continue;
    OptionOutline found = outline_of_option(*option);
    std::vector<OptionOutline>& place = option->get_positional() ? out.positionals : out.options;
    const bool is_known = std::any_of(place.begin(), place.end(),
                                      [&](const OptionOutline& known) { return known.names == found.names; });
    if (!is_known) place.push_back(std::move(found));
  }
}

}  // namespace

std::string CommandOutline::name() const {
  return path.substr(path.rfind(' ') + 1);
}

CommandOutline outline_of(const CLI::App& app) {
  CommandOutline out{.path = path_of(app),
                     .text = app.get_description(),
                     .example = example_in(app.get_footer(), path_of(app))};
  add_options(out, app);
  const CLI::App* parent = app.get_parent();
  if (app.get_fallthrough() && parent && parent->get_parent()) add_options(out, *parent);
  for (const CLI::App* command : app.get_subcommands([](const CLI::App* a) { return !a->get_group().empty(); }))
    out.commands.push_back(outline_of(*command));
  return out;
}

std::vector<const CommandOutline*> all_commands(const CommandOutline& root) {
  std::vector<const CommandOutline*> all = {&root};
  for (const CommandOutline& command : root.commands)
    for (const CommandOutline* below : all_commands(command)) all.push_back(below);
  return all;
}

}  // namespace ranktide::cli

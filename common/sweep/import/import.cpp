#include "common/sweep/import/import.h"

#include <filesystem>

#include "common/sweep/import/foreign_file.h"

namespace ranktide {
namespace {

std::string_view title_of(ForeignTool tool) {
  switch (tool) {
    case ForeignTool::wandb:
      return "W&B's";
    case ForeignTool::hydra:
      return "Hydra's";
    case ForeignTool::axolotl:
      return "axolotl's";
  }
  return "";
}

std::string heading_of(ForeignTool tool, const SourceText& source) {
  std::string out = "# From " + std::string(title_of(tool)) + " " +
                    std::filesystem::path(source.name()).filename().string() +
                    "; beside each key stands what it was.\n";
  if (tool != ForeignTool::axolotl)
    out +=
        "# What the script sets by itself is not in that file: compare its defaults with `ranktide help "
        "sweep-file`.\n";
  return out;
}

}  // namespace

Imported import_sweep(ForeignTool tool, const SourceText& source, const std::string& name) {
  const YamlNode root = parse_yaml(source);
  ImportDraft draft(name);
  switch (tool) {
    case ForeignTool::wandb:
      read_wandb(root, source, draft);
      break;
    case ForeignTool::hydra:
      read_hydra(root, source, draft);
      break;
    case ForeignTool::axolotl:
      read_axolotl(root, source, draft);
      break;
  }
  return draft.written(heading_of(tool, source));
}

}  // namespace ranktide

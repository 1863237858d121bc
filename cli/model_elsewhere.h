#pragma once
// Folders of models and tokenizers that lie on other machines, as sweeps of the coordinator named them: what a
// plan reads of them is brought here (content_finder.h), the weights stay where they are and are known by their
// hashes. Not which one a sweep means (named_models.h). One thread.

#include <array>
#include <filesystem>
#include <string>
#include <vector>

#include "cli/content_finder.h"
#include "common/vocabulary/ids.h"
#include "common/vocabulary/work.h"

namespace ranktide::cli {

// What is read of a folder beside its weights; those that it has.
inline constexpr std::array kModelFiles{
    "config.json",           "model.safetensors.index.json", "tokenizer.json",
    "tokenizer_config.json", "generation_config.json",       "chat_template.jinja"};
// Returns: whether it is one of kModelFiles.
bool is_model_file(const std::string& name);

struct FolderElsewhere {
  std::string root;              // as settings name it: where workers look first
  std::filesystem::path here;    // a folder of this machine, with those of kModelFiles that it has
  std::vector<InputFile> files;  // that lie in it, by name; not of folders inside it

  bool is_same(const FolderElsewhere& other) const;  // in all its files
};

// Returns: the base that config.json and the weights of the folder make (base_identity.h).
BaseId base_made_by(const FolderElsewhere& folder);

struct FoundElsewhere {
  std::vector<FolderElsewhere> folders{};
  std::string looked{};  // where it was looked for, and what was in the way; for people
};

// Asks the coordinator for folders with this base or tokenizer, and brings what is read of them. Whether they
// have it is for the caller to check.
FoundElsewhere find_elsewhere(const ContentName& name, const ContentSources& sources);

}  // namespace ranktide::cli

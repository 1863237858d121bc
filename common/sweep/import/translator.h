#pragma once
// The settings of another tool's file, one after the other, into a draft. Joins what is one setting here and
// several there (micro-batch x accumulation, two betas). One thread.

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "common/sweep/import/draft.h"
#include "common/sweep/yaml_tree.h"

namespace ranktide {

// Values between two ends, as another tool draws or steps through them.
struct ForeignRange {
  double min = 0;
  double max = 0;
  bool is_log = false;
  std::optional<double> step{};  // absent: anywhere between ...
  bool is_whole = false;         // ... or at any whole number
};

class Translator {
 public:
  explicit Translator(ImportDraft& draft) : draft_(draft) {}

  void constant(const std::string& path, const YamlNode& value);
  // `origin` is what the comment says; of several values those that have no twin are left out by name.
  void axis(const std::string& path, const std::vector<YamlNode>& values, const std::string& origin);
  void range(const std::string& path, const ForeignRange& range, const std::string& origin);

  // Writes what was joined. Call it once, when everything is told.
  void finish();

 private:
  struct Part {  // of a product or pair
    std::vector<std::string> values;
    std::string origin;
  };

  bool takes_part(const std::string& path, const std::vector<YamlNode>& values, const std::string& origin);
  void finish_batch();
  void finish_betas();

  ImportDraft& draft_;
  std::optional<Part> micro_batch_, accumulation_, beta1_, beta2_;
};

}  // namespace ranktide

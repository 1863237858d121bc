#pragma once
// A trial that was resolved elsewhere, found again in this sweep: its typed settings told as the values that
// its id was made from. The way back from resolve.h. Pure functions.

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "common/sweep/cell_print.h"
#include "common/sweep/sweep_spec.h"
#include "common/vocabulary/ids.h"
#include "common/vocabulary/trial.h"

namespace ranktide {

// Returns: complete settings (resolve.h), without the seed, that give these typed ones.
SettingValues values_of(const TrialSettings& settings);

// What cells of trials train that were resolved elsewhere, as a grid with these inputs tells it. Asked for many
// trials, of which few are the grid's: each is told once, whatever the inputs hold. Remembers what settings
// tell. One thread.
class CellPrints {
 public:
  // Outlives: nothing; inputs are read now.
  explicit CellPrints(const Inputs& inputs);

  // Returns: the first print of the trial, by the contents that it may have read, that `lists` says is
  // somebody's; nullopt where there is none. Certain: the trial's id is made anew with these contents and
  // compared.
  using Lists = std::function<bool(const CellPrint&)>;
  std::optional<CellPrint> find(const TrialId& id, const TrialSettings& settings, const Lists& lists);

 private:
  struct Contents {  // in the places of paths
    std::string base;
    std::string tokenizer_sha256;
    std::string data_sha256;
    CellPrint print;  // of these settings
  };
  const CellPrint& known_print(const std::string& key, const Json& value);

  std::vector<Contents> contents_;
  std::map<std::string, CellPrint> known_;  // by setting and value
};

}  // namespace ranktide

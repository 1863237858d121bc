#pragma once
// What results can be grouped and filtered by: a sweep's labels and every setting. Finds out what varies, so
// that nothing is pooled unsaid. Pure.

#include <set>
#include <string>
#include <vector>

#include "coordinator/edge/query_rows.h"

namespace ranktide {

struct ResultAxis {
  enum class Kind { column, label, setting };
  std::string name;  // as it is shown: "rank"
  Kind kind = Kind::setting;
  std::string key;  // of the label or setting: "lora.rank"
};

// Whether both tell the same trials apart: a setting and the label of its values do.
inline bool is_same(const ResultAxis& a, const ResultAxis& b) {
  const bool is_column = a.kind == ResultAxis::Kind::column;
  return a.key == b.key && is_column == (b.kind == ResultAxis::Kind::column);
}

// Returns: the axis that a name means among these trials: sweep, block, a label such as regime, or a setting by
// full key or unique last part; or an axis of the file that none of them has yet. Throws: QueryError with the
// names there are.
ResultAxis find_axis(const std::string& name, const SweepRows& rows);

// Returns: whether it is an axis of a file, `rows` or `zip`, and no trial that has it is listed yet.
bool is_to_come(const std::string& name, const SweepRows& rows);

// Returns: the trial's value; NULL where the setting has no effect in it (the rank of a full finetuning).
Value axis_value(const ResultAxis& axis, const TrialRow& trial);

// Returns: the value as messages name it: 0.0005, attn; "none" for an absent one.
std::string value_text(const Value& value);

// Returns: the axes whose values differ among trials that agree in `known`, without those that the ones before
// already tell: when the regime varies, its data file is not named too. The seed never counts.
std::vector<ResultAxis> varying_axes(const std::vector<const TrialRow*>& trials,
                                     const std::vector<ResultAxis>& known = {});

// Returns: the trials for which the expression holds; all of them when it is empty. Throws: QueryError for text
// that does not parse, an unknown name or a comparison that does not fit.
std::vector<const TrialRow*> filter_trials(const SweepRows& rows, const std::string& where);

}  // namespace ranktide

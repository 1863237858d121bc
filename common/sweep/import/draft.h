#pragma once
// A sweep file in the making, key by key, out of another tool's file. It takes only what our reader takes: the
// rest becomes a comment with the reader's words, so that a written draft reads, but for what has to be filled
// in. Plain data; one thread at a time.

#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "common/sweep/import/import.h"
#include "common/sweep/sweep_spec.h"

namespace ranktide {

class ImportDraft {
 public:
  explicit ImportDraft(const std::string& name) { rename(name); }

  // What may not stand in a name becomes a dash.
  void rename(const std::string& name);
  // `origin` is what the other file says, for the comment beside it.
  void set(const std::string& key, const std::string& value, const std::string& origin);
  void vary(const std::string& key, const std::string& axis, const std::string& origin);
  // One more label of the axis `paired`.
  void add_row(const std::vector<std::pair<std::string, std::string>>& values, const std::string& origin);
  void set_seeds(const std::string& value, const std::string& origin);
  // Cells drawn at random; nullopt: how many is to be filled in.
  void draw(const std::optional<std::string>& cells, const std::string& origin);
  void leave_out(const std::string& origin, const std::string& why);
  // Says what is so here in any case.
  void pass_over(const std::string& origin);

  // Whether a constant, axis or row gives the key.
  bool has(const std::string& key) const;
  bool has_any(const std::string& section) const;
  // Returns: of what is the same in every trial; nullopt: the key is not given, or varies.
  std::optional<std::string> constant(const std::string& key) const;

  // `heading` is the first comment. Works out what is missing, idle or said twice.
  Imported written(const std::string& heading);

 private:
  struct Line {
    std::string text;
    std::string origin;
  };

  struct Row {
    std::vector<std::pair<std::string, std::string>> values;
    std::string origin;
  };

  void settle_method();
  void settle_budget();
  void drop_idle_keys();
  void drop(const std::string& key, const std::string& why);
  std::vector<std::pair<std::string, std::string>> missing() const;  // line -> what it is
  std::string body(bool is_filled_in) const;
  std::string constants_text() const;
  std::string varying_text() const;
  std::string head_text() const;
  std::string left_out_text() const;

  std::string name_;
  std::map<std::string, Line> constants_;
  std::map<std::string, Line> axes_;
  std::vector<Row> rows_;
  std::optional<Line> seeds_;
  std::optional<Line> search_;
  bool is_search_to_fill_in_ = false;
  std::vector<Line> left_out_;
  std::vector<std::string> passed_over_;
};

}  // namespace ranktide

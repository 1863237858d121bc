#include "common/sweep/draft_check.h"

#include <algorithm>
#include <map>
#include <optional>
#include <set>

#include "common/sweep/comparison_check.h"
#include "common/sweep/condition_order.h"
#include "common/sweep/early_stop.h"
#include "common/sweep/last_eval.h"
#include "common/sweep/rule_check.h"
#include "common/sweep/setting_error.h"
#include "common/sweep/tuning_check.h"
#include "common/vocabulary/check.h"

namespace ranktide {
namespace {

class DraftCheck {
 public:
  DraftCheck(const SweepDraft& draft, const ReadingPlace& place) : draft_(draft), place_(place) {}

  void check_blocks(const std::vector<Block>& blocks) {
    std::map<std::string, std::vector<const Block*>> lacking;  // message -> blocks
    std::vector<std::string> order;
    for (const auto& block : blocks) {
      const size_t before = place_.errors->count();
      check_ranges(block);
      check_rules(block);
      if (place_.errors->count() > before) continue;
      std::optional<std::string> wrong;
      try {
        wrong = refusal_of(block);
      } catch (const SettingError& e) {
        add_once(at_key(e.key, block, of_block(e.what(), block)));
      }
      if (wrong) {
        if (lacking[*wrong].empty()) order.push_back(*wrong);
        lacking[*wrong].push_back(&block);
      }
    }
    for (const auto& message : order) say(message, lacking[message], blocks.size());
  }

  void check_whole(const SweepSpec& spec) const {
    place_.errors->attempt([&] { validate_head(spec); });
    check_tune(spec);
    check_stop_early(spec);
  }

  void check_size(const SweepSpec& spec) const {
    try {
      raw_trials(spec);
    } catch (const SpecError& e) {
      throw SpecError(place_.source.name() + ": " + e.what());
    }
  }

  bool draws = false;  // whether a range may be left open

 private:
  const BlockDraft* draft_of(const Block& block) const {
    const auto it =
        std::find_if(draft_.blocks.begin(), draft_.blocks.end(), [&](auto& d) { return d.name == block.name; });
    return it == draft_.blocks.end() ? nullptr : &*it;
  }

  // Returns: an error where the highest level that sets the key does; at the sweep where no line does.
  SpecError at_key(const std::string& key, const Block& block, const std::string& message) const {
    const BlockDraft* draft = draft_of(block);
    RT_CHECK(draft);
    auto levels = levels_of(*draft, draft_);
    std::reverse(levels.begin(), levels.end());
    for (const Level* level : levels)
      if (const auto it = level->set_at.find(key); it != level->set_at.end())
        return place_.source.error(it->second, message, key.size());
    return SpecError(place_.source.name() + ": " + message);
  }

  // One line may serve several blocks, and is wrong once.
  void add_once(SpecError error) {
    const auto at = std::pair(error.place.line, error.place.column);
    if (error.place.line == 0 || said_at_.insert(at).second) place_.errors->add(std::move(error));
  }

  void check_ranges(const Block& block) {
    for (const auto& axis : block.axes)
      if (axis.drawn && !draws)
        add_once(at_key(axis.name, block,
                        "axis " + axis.name +
                            " is a range to draw from at random; give it a count or a step, or write   search: "
                            "{random: 40}   at the file's top"));
  }

  // Names and values that a rule speaks of: known only now that the block's axes are.
  void check_rules(const Block& block) {
    const auto refused = [&](const std::string& what, const std::string& text) -> std::optional<std::string> {
      try {
        refuse_impossible_comparisons(block, what, checked_rule(block, what, text));
        return std::nullopt;
      } catch (const SpecError& e) {
        return of_block(e.what(), block);
      }
    };
    for (const auto& axis : block.axes)
      if (!axis.when.empty())
        if (const auto wrong = refused("when of " + axis.name, axis.when))
          add_once(at_key(axis.name, block, *wrong));
    if (const auto circle = condition_circle(block); !circle.empty())
      add_once(at_key(circle[0], block, of_block(in_a_circle(circle, block), block)));
    for (const auto& [key, text] : block.derive)
      if (const auto wrong = refused("derive " + key, text)) add_once(at_key(key, block, *wrong));
    for (const auto& rule : block.exclude)
      if (const auto wrong = refused("exclude", rule.text)) add_once(at_rule(rule, block, *wrong));
  }

  static std::string in_a_circle(const std::vector<std::string>& axes, const Block& block) {
    const std::string when = "block " + block.name + ": when of " + axes[0];
    if (axes.size() == 1) return when + " hangs on what the axis itself sets; compare with another key";
    std::string others;
    for (size_t i = 1; i < axes.size(); ++i)
      others += (i == 1 ? "" : i + 1 == axes.size() ? " and " : ", ") + axes[i];
    return when + " hangs on " + others + ", and the other way round; break the circle";
  }

  SpecError at_rule(const Rule& rule, const Block& block, const std::string& message) const {
    for (const Level* level : levels_of(*draft_of(block), draft_))
      for (size_t i = 0; i < level->exclude.size(); ++i)
        if (level->exclude[i].where == rule.where) return place_.source.error(level->exclude_at[i], message);
    return SpecError(place_.source.name() + ": " + message);
  }

  // The block of a file without `blocks` has a name that its user never wrote.
  std::string of_block(const std::string& message, const Block& block) const {
    const BlockDraft* draft = draft_of(block);
    RT_CHECK(draft);
    if (draft->at.line > 0) return message;
    std::string out = without_block(message, block.name);
    const std::string name = " in \"" + block.name + "\"";
    if (const size_t at = out.find(name); at != std::string::npos) out.erase(at, name.size());
    return out;
  }

  static std::string without_block(const std::string& message, const std::string& name) {
    const std::string prefix = "block " + name + ": ";
    return message.starts_with(prefix) ? message.substr(prefix.size()) : message;
  }

  // Throws: SettingError where it is about one key, which has a line.
  static std::optional<std::string> refusal_of(const Block& block) {
    try {
      validate(block);
      return std::nullopt;
    } catch (const SettingError&) {
      throw;
    } catch (const SpecError& e) {
      return without_block(e.what(), block.name);
    }
  }

  void say(const std::string& message, const std::vector<const Block*>& blocks, size_t of) const {
    if (message.starts_with(place_.source.name() + ":"))  // a rule's or an included cell's own place
      return place_.errors->add(SpecError(message));
    if (blocks.size() == of && of > 1) {
      place_.errors->add(SpecError(place_.source.name() + ": " + message + " (in every block)"));
      return;
    }
    for (const Block* block : blocks) {
      const BlockDraft& draft = *draft_of(*block);
      if (draft.at.line == 0)
        place_.errors->add(SpecError(place_.source.name() + ": " + message));
      else
        place_.errors->add(
            place_.source.error(draft.at, "block " + block->name + ": " + message, block->name.size()));
    }
  }

  // The blocks have been looked at one by one, what is tuned has a line of its own, and what stops early is
  // asked of the whole.
  void validate_head(const SweepSpec& spec) const {
    SweepSpec head = spec;
    head.tune.reset();
    head.run.stop_early.reset();
    if (!head.blocks.empty() && head.blocks.size() <= kBlocksMax) head.blocks.resize(1);
    validate(head);
  }

  void check_stop_early(const SweepSpec& spec) const {
    const auto wrong = early_stop_refusal(spec);
    if (!wrong) return;
    const auto& at = draft_.stop_early_at;  // none: set by the command line alone
    place_.errors->add(at ? place_.source.error(*at, *wrong) : SpecError(place_.source.name() + ": " + *wrong));
  }

  void check_tune(const SweepSpec& spec) const {
    auto wrong = tune_refusal(spec);
    if (!wrong) wrong = last_eval_refusal(spec);
    if (!wrong) return;
    place_.errors->add(draft_.tune_at ? place_.source.error(*draft_.tune_at, *wrong)
                                      : SpecError(place_.source.name() + ": " + *wrong));
  }

  const SweepDraft& draft_;
  const ReadingPlace& place_;
  std::set<std::pair<int, int>> said_at_;
};

}  // namespace

void check_blocks(const SweepDraft& draft, const std::vector<Block>& blocks, const ReadingPlace& place) {
  DraftCheck check(draft, place);
  check.draws = draft.head.random.has_value();
  check.check_blocks(blocks);
}

void check_sweep(const SweepDraft& draft, const SweepSpec& spec, const ReadingPlace& place) {
  DraftCheck check(draft, place);
  check.draws = spec.random.has_value();
  check.check_size(spec);
  check.check_blocks(spec.blocks);
  if (place.errors->count() == 0) check.check_whole(spec);
}

}  // namespace ranktide

#include "common/sweep/axis_range.h"

#include <cmath>
#include <optional>

#include "common/sweep/scalar_text.h"
#include "common/sweep/setting_check.h"

namespace ranktide {
namespace {

constexpr double kWholeMax = 9007199254740992;  // 2^53

// A number of a range, in the unit that the setting reads.
struct RangeNumber {
  double value = 0;
  bool is_share = false;  // of a length: its steps are a share of the budget
};

struct RangeEnds {
  RangeNumber from;
  RangeNumber to;
  bool is_log = false;
};

class RangeReader {
 public:
  RangeReader(const Setting& setting, const YamlNode& node, const ReadingPlace& place)
      : setting_(setting), node_(node), place_(place) {}

  RangeEnds ends() const {
    refuse_two_ways();
    const YamlNode* log = node_.find("log");
    const RangeEnds out = log ? log_ends(*log) : RangeEnds{.from = number_at("min"), .to = number_at("max")};
    if (out.from.is_share != out.to.is_share)
      throw bad(node_, key() + ": one end is steps and the other a percentage; write both alike");
    return out;
  }

  std::vector<AxisPoint> points() const {
    const RangeEnds range = ends();
    if (range.from.value > range.to.value && !range.is_log) throw bad(node_, "min is above max");
    std::vector<AxisPoint> out;
    for (const double value : node_.find("step") ? stepped(range) : counted(range)) {
      out.push_back(point({.value = value, .is_share = range.from.is_share}));
      if (out.size() > 1 && out[out.size() - 2].set == out.back().set)
        throw bad(node_, key() + " would have " + out.back().label + " twice after rounding; " +
                             (node_.find("step") ? "raise step" : "lower count"));
    }
    return out;
  }

  AxisPoint point(const RangeNumber& number) const {
    const bool is_length = setting_.type == SettingType::steps_or_share;
    const bool is_whole = setting_.type == SettingType::count || (is_length && !number.is_share);
    if (is_whole && std::abs(number.value) > kWholeMax)
      throw bad(node_, key() + " takes " + expectation(setting_) + ", got " + short_number(number.value));
    Json json = is_whole ? Json(std::llround(number.value)) : Json(number.value);
    std::string label = is_whole ? json.dump() : short_number(number.value);
    if (is_length) json = Json{{number.is_share ? "share" : "steps", json}};
    if (is_length && number.is_share) label = short_number(rounded(number.value * 100)) + "%";
    if (const auto wrong = refusal(setting_, json)) throw bad(node_, key() + " " + *wrong);
    return {.label = std::move(label), .set = {{key(), std::move(json)}}};
  }

 private:
  std::string key() const { return std::string(setting_.key); }

  SpecError bad(const YamlNode& node, const std::string& message) const {
    return place_.source.error(node, message);
  }

  // Two ways to make the values of one axis: which of them was meant, nobody can say.
  void refuse_two_ways() const {
    const auto has = [&](std::string_view word) { return node_.find(word) != nullptr; };
    if (has("step") && has("count"))
      throw bad(node_, "axis " + key() + ": step and count exclude each other; keep one");
    if (has("log") && (has("min") || has("max") || has("step")))
      throw bad(node_, "axis " + key() + ": log has both ends in it; leave min, max and step out");
  }

  std::optional<RangeNumber> number_in(const YamlNode& node) const {
    if (!node.is_scalar() || node.quoted) return std::nullopt;
    const bool is_length = setting_.type == SettingType::steps_or_share;
    if (node.text.ends_with('%') && (is_length || setting_.type == SettingType::share)) {
      const auto share = read_share(node.text);
      return share ? std::optional(RangeNumber{.value = *share, .is_share = is_length}) : std::nullopt;
    }
    if (const auto number = read_number(node.text)) return RangeNumber{.value = *number};
    const auto count = read_count(node.text);  // 1M
    return count ? std::optional(RangeNumber{.value = static_cast<double>(*count)}) : std::nullopt;
  }

  const YamlNode& word_at(const std::string& word) const {
    if (const YamlNode* found = node_.find(word)) return *found;
    throw bad(node_, "this axis needs `" + word +
                         "` too: {min, max, step}, {min, max, count} or {log: [from, to], count}");
  }

  RangeNumber number_at(const std::string& word) const {
    const YamlNode& node = word_at(word);
    if (const auto number = number_in(node)) return *number;
    throw bad(node, word + " takes a number, got " + shown(node));
  }

  RangeEnds log_ends(const YamlNode& log) const {
    const bool two = log.is_list() && log.items.size() == 2;
    const auto from = two ? number_in(log.items[0]) : std::nullopt;
    const auto to = two ? number_in(log.items[1]) : std::nullopt;
    if (!from || !to || from->value <= 0 || to->value <= 0)
      throw bad(log, "log takes two numbers above 0: {log: [1e-5, 1e-3], count: 5}");
    return {.from = *from, .to = *to, .is_log = true};
  }

  // Six digits are exact for whole numbers below a million, and take a last bit off before the half is judged.
  double between(double value, const RangeEnds& range) const {
    const bool is_whole = setting_.type == SettingType::count ||
                          (setting_.type == SettingType::steps_or_share && !range.from.is_share);
    return is_whole && std::abs(value) >= 1e6 ? value : rounded(value);
  }

  std::vector<double> stepped(const RangeEnds& range) const {
    const RangeNumber step = number_at("step");
    if (!(step.value > 0)) throw bad(node_, "step has to be above 0");
    if (step.is_share != range.from.is_share)
      throw bad(node_, key() + ": step and the ends are steps or a percentage; write them alike");
    constexpr double kSlack = 1e-9;  // 0.1 .. 0.3 by 0.1 has three values in floating point too
    const double steps = (range.to.value - range.from.value) / step.value;
    const size_t count = checked_axis_size(std::floor(steps + kSlack) + 1, node_, place_);
    std::vector<double> out{range.from.value};
    for (size_t i = 1; i < count; ++i)
      out.push_back(between(range.from.value + step.value * static_cast<double>(i), range));
    const bool ends_there = std::abs(steps - static_cast<double>(count - 1)) <= kSlack;
    if (count > 1 && ends_there) out.back() = range.to.value;
    return out;
  }

  size_t count() const {
    const YamlNode& node = word_at("count");
    const auto count = node.is_scalar() && !node.quoted ? read_count(node.text) : std::nullopt;
    if (!count) throw bad(node, "count takes a whole number, got " + shown(node));
    return checked_axis_size(static_cast<double>(*count), node_, place_);
  }

  std::vector<double> counted(const RangeEnds& range) const {
    const size_t values = count();
    const double from = range.from.value, to = range.to.value;
    if (values == 1 && from != to)
      throw bad(node_, "count: 1 would leave the upper end out; a range has 2 values or more");
    std::vector<double> out{from};
    for (size_t i = 1; i + 1 < values; ++i) {
      const double share = static_cast<double>(i) / static_cast<double>(values - 1);
      out.push_back(
          between(range.is_log ? from * std::pow(to / from, share) : from + (to - from) * share, range));
    }
    if (values > 1) out.push_back(to);
    return out;
  }

  const Setting& setting_;
  const YamlNode& node_;
  const ReadingPlace& place_;
};

}  // namespace

size_t checked_axis_size(double n, const YamlNode& node, const ReadingPlace& place) {
  if (!(n >= 1 && n <= static_cast<double>(kAxisPointsMax)))
    throw place.source.error(node, "an axis has 1 to 10,000 values, this one would have " +
                                       (n < 9e15 ? std::to_string(std::llround(n)) : short_number(n)));
  return static_cast<size_t>(n);
}

bool is_open_range(const YamlNode& node) {
  return !node.find("step") && !node.find("count") &&
         (node.find("log") || (node.find("min") && node.find("max")));
}

DrawnRange read_open_range(const Setting& setting, const YamlNode& node, const ReadingPlace& place) {
  const RangeReader reader(setting, node, place);
  const RangeEnds range = reader.ends();
  if (!(range.from.value < range.to.value))
    throw place.source.error(
        node, "axis " + std::string(setting.key) + ": its lower end has to be below its upper one");
  for (const RangeNumber& end : {range.from, range.to}) reader.point(end);  // throws
  return {.min = range.from.value, .max = range.to.value, .log = range.is_log};
}

std::vector<AxisPoint> read_range(const Setting& setting, const YamlNode& node, const ReadingPlace& place) {
  return RangeReader(setting, node, place).points();
}

}  // namespace ranktide

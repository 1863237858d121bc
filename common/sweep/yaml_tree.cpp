#include "common/sweep/yaml_tree.h"

#include <algorithm>
#include <set>
#include <sstream>
#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/mark.h>
#include <yaml-cpp/parser.h>

#include "common/sweep/text_bytes.h"
#include "common/vocabulary/check.h"

namespace ranktide {
namespace {

Place place_of(const YAML::Mark& mark) {
  return {mark.line + 1, mark.column + 1};
}

void check_bytes(const SourceText& source) {
  const std::string& text = source.text();
  if (text.size() > kYamlBytesMax)
    throw SpecError(source.name() + ": the file has " + std::to_string(text.size()) +
                    " bytes; a sweep file has at most 1 MiB");
  const size_t bad = first_bad_byte(text);
  if (bad == std::string_view::npos) return;
  const auto line_start = text.rfind('\n', bad) + 1;  // npos + 1 is 0
  const Place at{
      static_cast<int>(std::count(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(bad), '\n')) + 1,
      static_cast<int>(bad - line_start) + 1};
  throw SpecError(
      source.name(), at,
      text[bad] == 0 ? "a NUL byte; is this a text file?" : "not valid UTF-8; save the file as UTF-8");
}

bool has_a_tab_for_indent(const SourceText& source, int line) {
  std::istringstream lines(source.text());
  std::string text;
  for (int n = 0; n <= line; ++n)
    if (!std::getline(lines, text)) return false;
  return text.substr(0, text.find_first_not_of(" \t")).find('\t') != std::string::npos;
}

// yaml-cpp says what its parser found; what its users most often did is said in their words.
std::string refusal_of_yaml(const YAML::Exception& e, const SourceText& source) {
  if (has_a_tab_for_indent(source, e.mark.line)) return "a tab cannot indent; use spaces";
  if (e.msg == YAML::ErrorMsg::END_OF_MAP_FLOW)
    return "a { before this is not closed, or a comma is missing in it";
  if (e.msg == YAML::ErrorMsg::END_OF_SEQ_FLOW)
    return "a [ before this is not closed, or a comma is missing in it";
  return e.msg;
}

// Builds the tree while yaml-cpp streams, and stops at the first thing that is not allowed.
class TreeBuilder final : public YAML::EventHandler {
 public:
  TreeBuilder(const SourceText& source, SpecErrors* errors) : source_(source), errors_(errors) {}

  YamlNode take() { return std::move(root_); }

  void OnDocumentStart(const YAML::Mark& mark) override {
    if (++documents_ > 1)
      fail(mark, "a second document starts here; a sweep file has one, write a second file");
  }
  void OnDocumentEnd() override {}

  void OnAlias(const YAML::Mark& mark, YAML::anchor_t) override {
    fail(mark, "aliases (*name) are not allowed; write the value out, or use `like` for blocks");
  }
  void OnAnchor(const YAML::Mark& mark, const std::string& name) override {
    fail(mark, "anchors (&" + name + ") are not allowed; write the value out, or use `like` for blocks");
  }

  void OnNull(const YAML::Mark& mark, YAML::anchor_t) override { leaf(mark, YamlNode{}); }

  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t,
                const std::string& value) override {
    refuse_tag(mark, tag);
    if (value.size() > kYamlScalarBytesMax) fail(mark, "a value of more than 64 KiB");
    if (value.find('\0') != std::string::npos) fail(mark, "a NUL character; no setting takes one");
    YamlNode node;
    node.kind = YamlNode::Kind::scalar;
    node.text = value;
    node.quoted = tag == "!";
    leaf(mark, std::move(node));
  }

  void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t,
                       YAML::EmitterStyle::value) override {
    refuse_tag(mark, tag);
    open(mark, YamlNode::Kind::list);
  }
  void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t,
                  YAML::EmitterStyle::value) override {
    refuse_tag(mark, tag);
    open(mark, YamlNode::Kind::map);
  }
  void OnSequenceEnd() override { close(); }
  void OnMapEnd() override { close(); }

 private:
  struct Level {  // an open list or map
    YamlNode node;
    std::set<std::string, std::less<>> keys;
    bool key_pending = false;  // the last entry has its key and waits for its value
    bool is_repeated = false;  // and goes when it has it, for an entry before has the same key
  };

  [[noreturn]] void fail(const YAML::Mark& mark, const std::string& message) const {
    throw source_.error(place_of(mark), message);
  }

  // yaml-cpp marks what has no tag: "?" for plain nodes, "!" for quoted scalars.
  void refuse_tag(const YAML::Mark& mark, const std::string& tag) const {
    if (!tag.empty() && tag != "?" && tag != "!") fail(mark, "tags (" + tag + ") are not allowed; remove it");
  }

  void count(const YAML::Mark& mark) {
    if (++nodes_ > kYamlNodesMax) fail(mark, "more than 200,000 values in one file");
  }

  bool is_key() const {
    return !open_.empty() && open_.back().node.kind == YamlNode::Kind::map && !open_.back().key_pending;
  }

  void leaf(const YAML::Mark& mark, YamlNode node) {
    count(mark);
    node.at = place_of(mark);
    if (is_key()) return start_entry(node);
    add(std::move(node));
  }

  void open(const YAML::Mark& mark, YamlNode::Kind kind) {
    count(mark);
    if (is_key()) fail(mark, "a key must be a plain word, not a list or map");
    if (open_.size() >= kYamlDepthMax) fail(mark, "nested deeper than 32 levels");
    Level level;
    level.node.kind = kind;
    level.node.at = place_of(mark);
    open_.push_back(std::move(level));
  }

  void close() {
    RT_CHECK(!open_.empty());
    YamlNode node = std::move(open_.back().node);
    open_.pop_back();
    add(std::move(node));
  }

  void start_entry(const YamlNode& key) {
    Level& level = open_.back();
    if (key.kind != YamlNode::Kind::scalar) throw source_.error(key, "a key is missing here");
    if (key.text == "<<" && !key.quoted)
      throw source_.error(key, "merge keys (<<) are not allowed; use `like` for blocks");
    if (level.keys.size() >= kYamlKeysMax) throw source_.error(key, "more than 2,000 keys in one map");
    level.is_repeated = !level.keys.insert(key.text).second;
    if (level.is_repeated) attempt(errors_, [&] { throw source_.error(key, repeated(level.node, key.text)); });
    level.node.entries.push_back({key.text, key.at, {}});
    level.key_pending = true;
  }

  std::string repeated(const YamlNode& map, const std::string& key) const {
    const auto first =
        std::find_if(map.entries.begin(), map.entries.end(), [&](auto& e) { return e.key == key; });
    std::vector<std::string> path;
    for (const Level& level : open_)
      if (level.key_pending) path.push_back(level.node.entries.back().key);
    std::string block;
    if (path.size() >= 2 && path[0] == "blocks") {
      block = " in block " + path[1];
      path.erase(path.begin(), path.begin() + 2);
    }
    std::string full;
    for (const auto& part : path) full += part + ".";
    return "\"" + full + key + "\" is set twice" + block + " (first at line " + std::to_string(first->at.line) +
           ")";
  }

  void add(YamlNode node) {
    if (open_.empty()) {
      root_ = std::move(node);
      return;
    }
    Level& level = open_.back();
    if (level.node.kind == YamlNode::Kind::list) {
      level.node.items.push_back(std::move(node));
    } else {
      // yaml-cpp marks what is empty where the next word stands, maybe lines below.
      const Place key = level.node.entries.back().at;
      if (node.kind == YamlNode::Kind::null && node.at.line != key.line) node.at = key;
      level.node.entries.back().value = std::move(node);
      level.key_pending = false;
      if (level.is_repeated) level.node.entries.pop_back();
    }
  }

  const SourceText& source_;
  SpecErrors* errors_;
  YamlNode root_;
  std::vector<Level> open_;
  size_t nodes_ = 0;
  int documents_ = 0;
};

}  // namespace

const YamlNode* YamlNode::find(std::string_view key) const {
  for (const auto& entry : entries)
    if (entry.key == key) return &entry.value;
  return nullptr;
}

SourceText SourceText::without_lines(std::string name, std::string text) {
  SourceText out(std::move(name), std::move(text));
  out.has_lines_ = false;
  return out;
}

std::string SourceText::where(Place at) const {
  return name_ + ":" + std::to_string(at.line) + ":" + std::to_string(at.column);
}

SpecError SourceText::error(Place at, const std::string& message, size_t width) const {
  const bool is_a_place = has_lines_ && at.line > 0 && at.column > 0;  // yaml-cpp gives what is absent none
  if (!is_a_place) return SpecError(name_ + ": " + message);
  SpecError error(name_, at, message);
  std::istringstream lines(text_);
  std::string line;
  for (int n = 0; n < at.line && std::getline(lines, line);) ++n;
  constexpr size_t kShownBytesMax = 160;  // a longer line would push the carets off the terminal
  if (line.size() > kShownBytesMax || static_cast<size_t>(at.column) > line.size() + 1) return error;
  const std::string number = std::to_string(at.line);
  const size_t carets = std::max<size_t>(1, std::min(width, line.size() + 1 - static_cast<size_t>(at.column)));
  error.excerpt = "   " + number + " | " + line + "\n   " + std::string(number.size(), ' ') + " | " +
                  std::string(static_cast<size_t>(at.column) - 1, ' ') + std::string(carets, '^');
  return error;
}

SpecError SourceText::error(const YamlNode& node, const std::string& message) const {
  return error(node.at, message, node.is_scalar() ? node.text.size() : 1);
}

SpecError SourceText::error(const YamlEntry& entry, const std::string& message) const {
  return error(entry.at, message, entry.key.size());
}

YamlNode parse_yaml(const SourceText& source, SpecErrors* errors) {
  check_bytes(source);
  TreeBuilder builder(source, errors);
  try {
    std::istringstream in(source.text());
    YAML::Parser parser(in);
    while (parser.HandleNextDocument(builder)) {
    }
  } catch (const YAML::Exception& e) {
    if (e.msg.starts_with(YAML::ErrorMsg::UNKNOWN_ANCHOR)) builder.OnAlias(e.mark, {});
    throw source.error(place_of(e.mark), refusal_of_yaml(e, source) + " (not valid YAML)");
  }
  return builder.take();
}

std::string shown(const YamlNode& node) {
  switch (node.kind) {
    case YamlNode::Kind::null:
      return "nothing";
    case YamlNode::Kind::list:
      return node.items.empty() ? "an empty list" : "a list";
    case YamlNode::Kind::map:
      return node.entries.empty() ? "an empty map" : "a map";
    case YamlNode::Kind::scalar:
      break;
  }
  constexpr size_t kShownBytesMax = 60;
  const std::string text =
      printable(beginning(node.text, kShownBytesMax)) + (node.text.size() > kShownBytesMax ? "..." : "");
  const bool numeric = !node.quoted && !text.empty() &&
                       (std::isdigit(static_cast<unsigned char>(text[0])) || text[0] == '-' || text[0] == '.');
  return numeric ? text : "\"" + text + "\"";
}

}  // namespace ranktide

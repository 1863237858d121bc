#include "common/sweep/import/flow_text.h"

#include <algorithm>
#include <cctype>

#include "common/vocabulary/wire.h"

namespace ranktide {
namespace {

bool is_plain(const std::string& text) {
  const auto may_stand = [](char c) {
    return std::isalnum(static_cast<unsigned char>(c)) != 0 ||
           std::string_view("_./+-:@%~ ").find(c) != std::string::npos;
  };
  if (text.empty() || text.front() == ' ' || text.back() == ' ' || text.back() == ':') return false;
  if (std::string_view(":@%~").find(text[0]) != std::string_view::npos) return false;
  if (text[0] == '-' && (text.size() == 1 || text[1] == ' ')) return false;
  if (text.find(": ") != std::string::npos || text == "null") return false;
  return std::all_of(text.begin(), text.end(), may_stand);
}

std::string quoted(const std::string& text) {
  return Json(text).dump();  // JSON's quotes are YAML's
}

}  // namespace

std::string flow_text(const std::string& text) {
  return is_plain(text) ? text : quoted(text);
}

std::string flow_text(const YamlNode& node) {
  std::string out;
  switch (node.kind) {
    case YamlNode::Kind::null:
      return "null";
    case YamlNode::Kind::scalar:
      return node.quoted ? quoted(node.text) : flow_text(node.text);
    case YamlNode::Kind::list:
      for (const auto& item : node.items) out += (out.empty() ? "" : ", ") + flow_text(item);
      return "[" + out + "]";
    case YamlNode::Kind::map:
      for (const auto& entry : node.entries)
        out += (out.empty() ? "" : ", ") + flow_text(entry.key) + ": " + flow_text(entry.value);
      return "{" + out + "}";
  }
  return out;
}

YamlNode flow_node(const std::string& text) {
  return *parse_yaml(SourceText::without_lines("value", "value: " + text)).find("value");
}

}  // namespace ranktide

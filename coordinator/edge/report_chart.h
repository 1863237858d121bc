#pragma once
// The learning-versus-forgetting picture of one regime as inline SVG: a mark per cell with its 95 % cross, the
// untouched base, the front as a step line. Not the page around it (report.h). Pure; colours come from the
// page's CSS.

#include <optional>
#include <string>
#include <vector>

namespace ranktide {

inline constexpr int kDashes = 4;

struct ChartMark {
  std::string method;      // "lora": circle, "full": square
  std::string name;        // "lora r32 all lr 0.0005": the mark's <title> and the legend's line
  int colour = 0;          // index into the page's palette: what is trained, but for its target
  int dash = 0;            // of the outline and the cross, 0 to kDashes - 1: the target
  bool is_hollow = false;  // fewer than three seeds
  bool is_on_front = false;
  double learning = 0;
  double forgetting = 0;
  std::optional<double> learning_ci;
  std::optional<double> forgetting_ci;
  int64_t n = 0;
};

struct Chart {
  std::string title;
  std::optional<double> base_learning;
  std::vector<ChartMark> marks;
};

// Returns: text that is safe inside HTML and SVG, attribute values included.
std::string escape_html(const std::string& text);

// Returns: a <figure> with the picture and its legend.
std::string chart_svg(const Chart& chart);

}  // namespace ranktide

#include "coordinator/edge/report_chart.h"

#include <algorithm>
#include <cmath>
#include <fmt/format.h>

namespace ranktide {

namespace {

constexpr double kWidth = 560;
constexpr double kHeight = 400;
constexpr double kLeft = 64;
constexpr double kRight = 20;
constexpr double kTop = 16;
constexpr double kBottom = 52;
constexpr double kRadius = 6;

struct Range {
  double low = 0;
  double high = 0;
  void see(double value) {
    low = std::min(low, value);
    high = std::max(high, value);
  }
};

// 1, 2 or 5 times a power of ten, so that about five of them fit.
double tick_step(const Range& range) {
  const double rough = (range.high - range.low) / 5;
  const double power = std::pow(10, std::floor(std::log10(rough)));
  for (const double factor : {1.0, 2.0, 5.0})
    if (rough <= factor * power) return factor * power;
  return 10 * power;
}

Range widened(Range range) {
  const double span = range.high > range.low ? range.high - range.low : std::max(std::abs(range.high), 1e-3);
  return {range.low - 0.06 * span, range.high + 0.06 * span};
}

// Data to picture: learning to the right, forgetting upwards.
class Scale {
 public:
  explicit Scale(const Chart& chart) {
    const double start = chart.base_learning.value_or(chart.marks.empty() ? 0 : chart.marks.front().learning);
    x_ = {start, start};
    for (const auto& m : chart.marks)
      for (const double sign : {-1.0, 1.0}) {
        x_.see(m.learning + sign * m.learning_ci.value_or(0));
        y_.see(m.forgetting + sign * m.forgetting_ci.value_or(0));
      }
    x_ = widened(x_);
    y_ = widened(y_);
  }
  double x(double learning) const {
    return kLeft + (learning - x_.low) / (x_.high - x_.low) * (kWidth - kLeft - kRight);
  }
  double y(double forgetting) const {
    return kHeight - kBottom - (forgetting - y_.low) / (y_.high - y_.low) * (kHeight - kTop - kBottom);
  }
  const Range& learning() const { return x_; }
  const Range& forgetting() const { return y_; }

 private:
  Range x_;
  Range y_;  // starts at 0: the base is always in the picture
};

std::string tick_text(double value, double step) {
  const int decimals = std::clamp(static_cast<int>(-std::floor(std::log10(step) + 1e-9)), 0, 6);
  return fmt::format("{:.{}f}", std::abs(value) < step / 1e3 ? 0.0 : value, decimals);
}

std::string axes_svg(const Scale& scale) {
  std::string out;
  const double x_step = tick_step(scale.learning());
  const double bottom = kHeight - kBottom;
  for (double v = std::ceil(scale.learning().low / x_step) * x_step; v <= scale.learning().high; v += x_step)
    out += fmt::format(
        R"(<line class="grid" x1="{0:.1f}" y1="{1}" x2="{0:.1f}" y2="{2}"/><text class="tick" x="{0:.1f}" y="{3}" text-anchor="middle">{4}</text>)",
        scale.x(v), kTop, bottom, bottom + 18, tick_text(v, x_step));
  const double y_step = tick_step(scale.forgetting());
  for (double v = std::ceil(scale.forgetting().low / y_step) * y_step; v <= scale.forgetting().high;
       v += y_step)
    out += fmt::format(
        R"(<line class="grid" x1="{0}" y1="{1:.1f}" x2="{2}" y2="{1:.1f}"/><text class="tick" x="{3}" y="{4:.1f}" text-anchor="end">{5}</text>)",
        kLeft, scale.y(v), kWidth - kRight, kLeft - 8, scale.y(v) + 4, tick_text(v, y_step));
  out += fmt::format(
      R"(<text class="axis" x="{}" y="{}" text-anchor="middle">learning (higher: learnt more) →</text>)",
      (kLeft + kWidth - kRight) / 2, kHeight - 10);
  out += fmt::format(
      R"(<text class="axis" transform='translate(16 {}) rotate(-90)' text-anchor="middle">forgetting (higher: lost more) →</text>)",
      (kTop + bottom) / 2);
  return out;
}

std::string base_svg(const Scale& scale, double learning) {
  const double x = scale.x(learning);
  const double y = scale.y(0);
  return fmt::format(
      R"(<g class="base"><title>untouched base: learning {4:.4f}, forgetting 0</title><line x1="{0}" y1="{1:.1f}" x2="{2}" y2="{1:.1f}"/><path d="M{3:.1f} {5:.1f}l7 7-7 7-7-7z"/><text x="{6:.1f}" y="{7:.1f}">base</text></g>)",
      kLeft, y, kWidth - kRight, x, learning, y - 7, x + 11, y - 7);
}

// From the best learner down: each step says what the next less forgetting costs in learning.
std::string front_svg(const Scale& scale, const Chart& chart) {
  std::vector<const ChartMark*> front;
  for (const auto& m : chart.marks)
    if (m.is_on_front) front.push_back(&m);
  if (front.size() < 2) return "";
  std::sort(front.begin(), front.end(), [](const auto* a, const auto* b) { return a->learning < b->learning; });
  std::string path = fmt::format("M{:.1f} {:.1f}", scale.x(front[0]->learning), scale.y(front[0]->forgetting));
  for (size_t i = 1; i < front.size(); ++i)
    path += fmt::format("V{:.1f}H{:.1f}", scale.y(front[i]->forgetting), scale.x(front[i]->learning));
  return fmt::format(
      R"(<path class="front" d="{}"><title>front: no other cell learnt more and forgot less</title></path>)",
      path);
}

std::string shape_svg(const ChartMark& mark, double x, double y) {
  const std::string style =
      fmt::format("c{} d{} {}", mark.colour, mark.dash, mark.is_hollow ? "hollow" : "solid");
  if (mark.method == "full")
    return fmt::format(R"(<rect class="mark {}" x="{:.1f}" y="{:.1f}" width="{}" height="{}"/>)", style,
                       x - kRadius + 0.5, y - kRadius + 0.5, 2 * kRadius - 1, 2 * kRadius - 1);
  return fmt::format(R"(<circle class="mark {}" cx="{:.1f}" cy="{:.1f}" r="{}"/>)", style, x, y, kRadius);
}

std::string ci_text(const std::optional<double>& ci) {
  return ci ? fmt::format(" ±{:.2g}", *ci) : " (± n/a)";
}

std::string mark_svg(const Scale& scale, const ChartMark& m) {
  std::string out =
      fmt::format("<g><title>{}: learning {:.4f}{}, forgetting {:.4f}{}, n = {}</title>", escape_html(m.name),
                  m.learning, ci_text(m.learning_ci), m.forgetting, ci_text(m.forgetting_ci), m.n);
  const double x = scale.x(m.learning);
  const double y = scale.y(m.forgetting);
  if (m.learning_ci)
    out += fmt::format(R"(<line class="ci c{0} d{4}" x1="{1:.1f}" y1="{2:.1f}" x2="{3:.1f}" y2="{2:.1f}"/>)",
                       m.colour, scale.x(m.learning - *m.learning_ci), y, scale.x(m.learning + *m.learning_ci),
                       m.dash);
  if (m.forgetting_ci)
    out += fmt::format(R"(<line class="ci c{0} d{4}" x1="{1:.1f}" y1="{2:.1f}" x2="{1:.1f}" y2="{3:.1f}"/>)",
                       m.colour, x, scale.y(m.forgetting - *m.forgetting_ci),
                       scale.y(m.forgetting + *m.forgetting_ci), m.dash);
  return out + shape_svg(m, x, y) + "</g>";
}

std::string legend_html(const Chart& chart) {
  std::string out = "<ul class=\"legend\">";
  for (const auto& m : chart.marks)
    out += fmt::format(R"(<li><svg width="16" height="16" aria-hidden="true">{}</svg>{}{}</li>)",
                       shape_svg(m, 8, 8), escape_html(m.name),
                       m.is_on_front ? R"( <em title="on the front">front</em>)" : "");
  return out + "</ul>";
}

}  // namespace

std::string escape_html(const std::string& text) {
  std::string out;
  for (const char c : text) {
    switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '"':
        out += "&quot;";
        break;
      case '\'':
        out += "&#39;";
        break;
      default:
        out += c;
    }
  }
  return out;
}

std::string chart_svg(const Chart& chart) {
  const Scale scale(chart);
  std::string svg = fmt::format(
      R"(<figure><figcaption>{}</figcaption><svg viewBox="0 0 {} {}" role="img" aria-label="learning against forgetting, {}">)",
      escape_html(chart.title), kWidth, kHeight, escape_html(chart.title));
  svg += axes_svg(scale);
  if (chart.base_learning) svg += base_svg(scale, *chart.base_learning);
  svg += front_svg(scale, chart);
  for (const auto& m : chart.marks) svg += mark_svg(scale, m);
  return svg + "</svg>" + legend_html(chart) + "</figure>\n";
}

}  // namespace ranktide

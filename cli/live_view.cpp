#include "cli/live_view.h"

#include <algorithm>
#include <cmath>
#include <fmt/format.h>
#include <limits>
#include <sstream>

#include "cli/terminal.h"

namespace ranktide::cli {
namespace {

constexpr size_t kAnyNumber = std::numeric_limits<size_t>::max();

size_t columns_of(const std::string& text) {  // code points; everything drawn here is one column wide
  return static_cast<size_t>(
      std::count_if(text.begin(), text.end(), [](char c) { return (c & 0xc0) != 0x80; }));
}

std::string cut(const std::string& text, int width) {
  if (columns_of(text) <= static_cast<size_t>(width)) return text;
  std::string out;
  int columns = 0;
  for (const char c : text) {
    if ((c & 0xc0) != 0x80 && ++columns > width - 1) break;
    out += c;
  }
  return out + "…";
}

// Broken between words; a word that is too long is cut.
std::vector<std::string> wrapped(const std::string& text, int width) {
  std::vector<std::string> lines;
  std::istringstream words(text);
  for (std::string word; words >> word;) {
    const bool has_room = !lines.empty() && columns_of(lines.back() + " " + word) <= static_cast<size_t>(width);
    if (has_room)
      lines.back() += " " + word;
    else
      lines.push_back(cut(word, width));
  }
  return lines;
}

double share_of(const Progress& p) {
  return p.steps > 0 ? static_cast<double>(p.step) / static_cast<double>(p.steps) : 0;
}

std::string left_of(const Progress& p, double tokens_per_second, double tokens_per_step) {
  if (p.step == 0 || p.steps == 0 || tokens_per_second <= 0 || tokens_per_step <= 0) return "";
  return "  ETA " + duration_text(static_cast<double>(p.steps - p.step) * tokens_per_step / tokens_per_second);
}

std::string numbers_of(const Progress& p) {
  if (p.phase != "training" || p.step == 0) return p.phase;
  std::string out = fmt::format("step {}/{}  loss {:.3f}  {} tok/s", p.step, p.steps, p.loss,
                                count_text(p.tokens_per_second));
  return out + left_of(p, p.tokens_per_second, p.tokens_per_step);
}

const LiveUnit* find(const LiveFrame& frame, const Lease& lease) {
  for (const LiveUnit& unit : frame.running)
    if (unit.progress.lease == lease) return &unit;
  return nullptr;
}

std::string queue_of(const LiveFrame& frame) {
  return fmt::format("run {}, queue {} on {} worker{}", frame.at_work, frame.queue, frame.workers,
                     frame.workers == 1 ? "" : "s");
}

size_t widest(const LiveFrame& frame, std::string LiveUnit::*text) {
  size_t out = 0;
  for (const LiveUnit& unit : frame.running) out = std::max(out, columns_of(unit.*text));
  return out;
}

std::string padded(const std::string& text, size_t columns) {
  return text + std::string(columns - columns_of(text), ' ');
}

std::string line_of(const LiveUnit& unit, size_t label_columns, size_t place_columns) {
  std::string out = "  " + padded(unit.label, label_columns) + "  ";
  if (place_columns > 0) out += padded(unit.place, place_columns) + "  ";
  return out + bar_text(share_of(unit.progress), 12) + "  " + numbers_of(unit.progress);
}

int64_t ended(const LiveFrame& frame) {
  return frame.done + frame.failed + frame.stopped_early;
}

std::string head_of(const LiveFrame& frame) {
  const double share =
      frame.total > 0 ? static_cast<double>(ended(frame)) / static_cast<double>(frame.total) : 0;
  std::string head =
      fmt::format("{}  {}  {}/{} trials", frame.sweep, bar_text(share, 20), ended(frame), frame.total);
  if (frame.diverged > 0) head += fmt::format("  {} diverged", frame.diverged);
  if (frame.failed > 0) head += fmt::format("  {} failed", frame.failed);
  if (frame.stopped_early > 0) head += fmt::format("  {} stopped early", frame.stopped_early);
  head += "  " + queue_of(frame) + "  " + duration_text(frame.elapsed_seconds);
  if (frame.left_seconds) head += "  ETA " + duration_text(*frame.left_seconds);
  return head;
}

// One line per unit; of those that do not fit `rows_max` the last line says how many they are.
std::vector<std::string> running_lines(const LiveFrame& frame, int width, size_t rows_max) {
  const bool is_cut = frame.running.size() > rows_max;
  const size_t shown = is_cut ? rows_max - std::min<size_t>(rows_max, 1) : frame.running.size();
  const size_t label_columns = widest(frame, &LiveUnit::label);
  const size_t place_columns = widest(frame, &LiveUnit::place);
  std::vector<std::string> lines;
  for (size_t i = 0; i < shown; ++i)
    lines.push_back(cut(line_of(frame.running[i], label_columns, place_columns), width));
  if (is_cut) lines.push_back(cut(fmt::format("  and {} more", frame.running.size() - shown), width));
  return lines;
}

int quarter_of(const Progress& p) {
  return static_cast<int>(share_of(p) * 4);
}

}  // namespace

std::vector<std::string> draw(const LiveFrame& frame, int width, int height) {
  std::vector<std::string> lines{cut(head_of(frame), width)};
  const std::vector<std::string> waiting = wrapped(frame.waiting, width);
  const size_t rows_max = height > 0 ? static_cast<size_t>(std::max(1, height - 1)) : kAnyNumber;
  const size_t rows_taken = lines.size() + waiting.size();
  for (std::string& line : running_lines(frame, width, rows_max - std::min(rows_max, rows_taken)))
    lines.push_back(std::move(line));
  lines.insert(lines.end(), waiting.begin(), waiting.end());
  if (lines.size() > rows_max) lines.resize(rows_max);
  return lines;
}

std::vector<std::string> news(const LiveFrame& before, const LiveFrame& now) {
  std::vector<std::string> lines;
  for (const LiveUnit& unit : now.running) {
    const LiveUnit* old = find(before, unit.progress.lease);
    const bool moved = !old || old->progress.phase != unit.progress.phase ||
                       quarter_of(old->progress) != quarter_of(unit.progress);
    const std::string place = unit.place.empty() ? "" : "  " + unit.place;
    if (moved) lines.push_back(fmt::format("{}{}  {}", unit.label, place, numbers_of(unit.progress)));
  }
  if (before.done != now.done || ended(before) != ended(now) || before.workers != now.workers)
    lines.push_back(fmt::format("{}: {} of {} trials done, {}{}", now.sweep, ended(now), now.total,
                                queue_of(now),
                                now.left_seconds ? ", ETA " + duration_text(*now.left_seconds) : ""));
  if (!now.waiting.empty() && before.waiting != now.waiting) lines.push_back(now.waiting);
  return lines;
}

}  // namespace ranktide::cli

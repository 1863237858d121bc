#include "cli/plan_file.h"

#include <algorithm>
#include <filesystem>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <fstream>

#include "cli/changed_inputs.h"
#include "cli/command.h"
#include "cli/plan_json.h"
#include "common/vocabulary/sha256.h"

namespace ranktide::cli {
namespace {

constexpr int kPlanVersion = 1;

[[noreturn]] void refuse_plan(const std::string& file, const std::string& what) {
  throw SpecError(file + ": " + what);
}

struct PlanHead {
  int version = 0;
  int64_t trials = 0;
  std::string sha256;  // of the spec as it stands there
  Json spec;
};

PlanHead plan_head(const std::string& file, const std::string& line) {
  constexpr const char* kNone = "is no plan of ranktide; `ranktide plan FILE -o plan.jsonl` writes one";
  try {
    const Json json = parse_json(line);
    if (!json.is_object() || !json.contains("ranktide_plan")) refuse_plan(file, kNone);
    return {.version = json.at("ranktide_plan").get<int>(),
            .trials = json.value("trials", int64_t{0}),
            .sha256 = json.value("spec_sha256", std::string()),
            .spec = json.value("spec", Json())};
  } catch (const Json::exception&) {
    refuse_plan(file, kNone);
  } catch (const ProtocolError&) {
    refuse_plan(file, kNone);
  }
}

// A plan is written over a plan only: rows of a data set end in .jsonl too.
void require_no_other_file(const std::string& file) {
  if (!std::filesystem::exists(std::filesystem::symlink_status(file))) return;
  std::string line;
  std::ifstream in(file, std::ios::binary);
  std::getline(in, line);
  try {
    plan_head(file, line);
  } catch (const SpecError&) {
    throw CommandError(kUsage, "-o " + file + ": is there already and is no plan; give another name");
  }
}

std::string planned_id(const std::string& file, size_t line_number, const std::string& line) {
  try {
    return parse_json(line).at("trial").get<std::string>();
  } catch (const std::exception&) {
    refuse_plan(file, fmt::format("line {} is no trial: the file was edited or cut; plan again", line_number));
  }
}

}  // namespace

bool is_plan_file(const std::string& file) {
  return file.ends_with(".jsonl");
}

void write_plan_file(const SweepPlan& plan, const std::string& file) {
  if (!is_plan_file(file))
    throw CommandError(kUsage, "-o " + file + ": a plan's name ends in .jsonl, by which `submit` knows it");
  if (!plan.unreadable.empty())
    throw CommandError(kUsage, fmt::format("-o: ids are provisional until every input can be read: {}",
                                           fmt::join(plan.unreadable, "\n       ")));
  require_no_other_file(file);
  const Json spec = ranktide::to_json(plan.spec);
  const Json head{{"ranktide_plan", kPlanVersion},
                  {"sweep", plan.spec.name},
                  {"trials", plan.trials()},
                  {"spec_sha256", sha256_hex(spec.dump())},
                  {"spec", spec}};
  const std::string draft = file + ".draft";
  std::ofstream out(draft, std::ios::binary | std::ios::trunc);
  out << head.dump() << "\n";
  for_each_trial(plan, [&](const PlannedTrial& trial) { out << trial_json(trial).dump() << "\n"; });
  out.close();
  std::error_code error;
  if (out) std::filesystem::rename(draft, file, error);
  if (out && !error) return;
  std::filesystem::remove(draft, error);
  throw CommandError(kFailed, file + ": cannot be written; is there room, and is the folder yours?");
}

PlanFile read_plan_file(const std::string& file) {
  std::ifstream in(file, std::ios::binary);
  if (!in) refuse_plan(file, "cannot be read; is the path right?");
  std::string line;
  std::getline(in, line);
  const PlanHead head = plan_head(file, line);
  if (head.version != kPlanVersion)
    refuse_plan(file, fmt::format("is a plan of version {}, and this ranktide reads {}; plan again",
                                  head.version, kPlanVersion));
  if (sha256_hex(head.spec.dump()) != head.sha256)
    refuse_plan(file, "its first line was edited; change the sweep file, and plan again");
  PlanFile out{.spec = from_json<SweepSpec>(head.spec), .ids = {}};
  while (std::getline(in, line)) out.ids.push_back(planned_id(file, out.ids.size() + 2, line));
  if (std::ssize(out.ids) != head.trials)
    refuse_plan(file, fmt::format("has {} of {} trials: it was cut or edited; plan again", out.ids.size(),
                                  head.trials));
  return out;
}

void require_as_planned(const std::string& file, const SweepSpec& spec) {
  const PlanFile planned = read_plan_file(file);
  const Grid grid(spec);
  std::vector<std::string> changed;
  for (const ChangedInput& input : changed_inputs(planned.spec.inputs, grid))
    changed.push_back(input.path + " has other content than when it was planned: " + readers_text(input));
  if (!changed.empty()) refuse_plan(file, fmt::format("{}\nhint: plan again", fmt::join(changed, "\n       ")));
  size_t trials = 0;
  for (int64_t raw = 0; raw < grid.raw_count(); ++raw) {
    const auto trial = grid.at(raw);
    if (!trial) continue;
    if (trials < planned.ids.size() && trial->id.text != planned.ids[trials])
      refuse_plan(file, fmt::format("line {}: trial {} is not what the first line gives there ({}); plan again",
                                    trials + 2, planned.ids[trials].substr(0, 12), trial->id.brief()));
    ++trials;
  }
  if (trials != planned.ids.size())
    refuse_plan(file, fmt::format("lists {} trials, and its first line gives {}; plan again",
                                  planned.ids.size(), trials));
}

}  // namespace ranktide::cli

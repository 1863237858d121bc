// Which .cpp files some test reaches, and all rules together.
#include <algorithm>
#include <iterator>
#include <map>
#include <set>
#include <string_view>

#include "tests/tidy/rules.h"

namespace ranktide::tidy {
namespace {

// .cpp files that no test includes, and what tests them instead.
const std::map<std::string_view, std::string_view>& edges() {
  static const std::map<std::string_view, std::string_view> kEdges = {
      {"bench/plan_scale.cpp", "measures what tests/common/sweep and tests/coordinator test"},
      {"bench/products.cpp", "measures what tests/worker/trainer/lm/product_test.cpp tests"},
      {"bench/step_parts.cpp", "part of train_step"},
      {"bench/steps.cpp", "part of train_step and trial_steps"},
      {"bench/train_order.cpp", "part of train_step"},
      {"bench/trial_steps.cpp", "tests/tools/gpu_bench_test.py runs it"},
      {"bench/train_step.cpp", "measures what tests/worker/trainer/train tests"},
      {"common/vocabulary/failpoint.cpp",
       "ends the processes of tests/worker/daemon and trains of resume_test"},
      {"cli/main.cpp", "tests/e2e runs the program"},
      {"cli/context.cpp", "tests/e2e runs the command"},
      {"cli/contexts.cpp", "part of context and of every client; tests/e2e"},
      {"cli/control.cpp", "tests/e2e runs the commands"},
      {"cli/coordinator.cpp", "tests/e2e runs the command"},
      {"cli/coordinator_choice.cpp", "part of every client; tests/e2e names coordinators in each way"},
      {"cli/doctor.cpp", "tests/e2e runs the command"},
      {"cli/completion.cpp", "tests/cli/completion_test runs the command"},
      {"cli/explain.cpp", "part of plan; tests/e2e/program_test"},
      {"cli/fetch.cpp", "tests/e2e runs the command"},
      {"cli/health.cpp", "tests/deploy asks a coordinator in its image"},
      {"cli/help.cpp", "tests/e2e runs the command"},
      {"cli/import.cpp", "tests/e2e runs the command"},
      {"cli/live_drawing.cpp", "part of run and watch; tests/e2e"},
      {"cli/logs.cpp", "tests/e2e runs the command"},
      {"cli/plan.cpp", "tests/e2e runs the command"},
      {"cli/query.cpp", "tests/e2e runs the command"},
      {"cli/report.cpp", "tests/e2e runs the command"},
      {"cli/run.cpp", "tests/e2e runs the command"},
      {"cli/slurm.cpp", "tests/deploy hands its script to Slurm"},
      {"cli/status.cpp", "tests/e2e runs the command"},
      {"cli/submit.cpp", "tests/e2e runs the command"},
      {"cli/token.cpp", "tests/e2e runs the command"},
      {"cli/version.cpp", "tests/e2e runs the command"},
      {"cli/watch.cpp", "tests/e2e runs the command"},
      {"cli/enrolment_front.cpp", "part of coordinator; tests/e2e starts it"},
      {"cli/invite.cpp", "tests/e2e runs the command"},
      {"cli/keys.cpp", "tests/e2e runs the commands"},
      {"cli/worker.cpp", "tests/e2e runs the command"},
      {"cli/worker_control.cpp", "tests/e2e runs the commands"},
      {"cli/worker_start.cpp", "part of worker; tests/e2e"},
      {"cli/find_inputs.cpp", "tests/e2e runs works that it prepares"},
      {"cli/inputs.cpp", "part of run and plan; tests/e2e"},
      {"cli/remote_watch.cpp", "part of submit and watch; tests/e2e"},
      {"cli/request.cpp", "part of every client; tests/e2e asks where nobody answers, too"},
      {"cli/results.cpp", "both of its ways; tests/e2e asks with and without a coordinator"},
      {"cli/interrupt.cpp", "part of run; tests/e2e sends the signals"},
      {"cli/local_cluster.cpp", "part of run; tests/e2e"},
      {"cli/selection_options.cpp", "part of query and report; tests/e2e runs them"},
      {"cli/service_manager.cpp", "part of coordinator; tests/e2e listens as one"},
      {"cli/slurm_signals.cpp", "part of worker --slurm; tests/deploy has Slurm send the signals"},
      {"cli/sweep_choice.cpp", "part of run, plan and submit; tests/e2e/commands_test"},
      {"cli/sweep_errors.cpp", "part of main; tests/e2e/program_test"},
      {"cli/sweep_plan.cpp", "part of run and plan; tests/e2e"},
      {"cli/sweep_watch.cpp", "part of run; tests/e2e"},
      {"cli/transfer_told.cpp", "part of submit and fetch; tests/e2e"},
      {"cli/trial_label.cpp", "part of run; tests/e2e"},
      {"worker/trainer/check/main.cpp", "standalone_test builds and runs it"},
      {"worker/trainer/lm/base.cpp", "part of lm/model.h; tests/worker/trainer/lm loads bases"},
      {"worker/trainer/lm/peft_folder.cpp", "part of lm/model.h; adapter_test saves and loads"},
      {"worker/trainer/program/main.cpp", "tests/e2e runs the program"},
  };
  return kEdges;
}

// store_sql -> {store_sql, store}: the headers that stand for a file.
std::vector<std::string> family_of(std::string_view path) {
  std::string stem(path.substr(0, path.size() - std::string_view(".cpp").size()));
  const std::size_t folder_end = stem.rfind('/') + 1;
  std::vector<std::string> headers = {stem + ".h"};
  for (std::size_t cut = stem.rfind('_'); cut != std::string::npos && cut > folder_end; cut = stem.rfind('_')) {
    stem.resize(cut);
    headers.push_back(stem + ".h");
  }
  return headers;
}

// A file without a header of its own implements, in part, the header that it includes first.
std::vector<std::string> headers_for(const SourceFile& file, const std::set<std::string>& paths) {
  std::vector<std::string> headers = family_of(file.path);
  const std::vector<Include> includes = includes_of(file);
  if (!paths.contains(headers.front()) && !includes.empty()) {
    headers.push_back(includes.front().path);
  }
  return headers;
}

bool contains_any(const std::set<std::string>& set, const std::vector<std::string>& items) {
  return std::any_of(items.begin(), items.end(), [&](const std::string& item) { return set.contains(item); });
}

std::set<std::string> included_by_tests(const std::vector<SourceFile>& files) {
  std::set<std::string> headers;
  for (const SourceFile& file : files) {
    if (file.path.starts_with("tests/")) {
      for (const Include& include : includes_of(file)) {
        headers.insert(include.path);
      }
    }
  }
  return headers;
}

// One step inwards: what tested files include from their own folder is tested with them. Returns: whether it
// grew.
bool reach_further(const std::vector<SourceFile>& files, const std::set<std::string>& paths,
                   std::set<std::string>& tested) {
  const std::size_t before = tested.size();
  for (const SourceFile& file : files) {
    const bool is_reached = is_header(file.path)
                                ? tested.contains(file.path)
                                : is_cpp(file.path) && contains_any(tested, headers_for(file, paths));
    for (const Include& include : is_reached ? includes_of(file) : std::vector<Include>{}) {
      if (folder_of(include.path) == folder_of(file.path)) {
        tested.insert(include.path);
      }
    }
  }
  return tested.size() > before;
}

}  // namespace

void append(std::vector<Violation>& to, std::vector<Violation> from) {
  to.insert(to.end(), std::make_move_iterator(from.begin()), std::make_move_iterator(from.end()));
}

std::string to_string(const Violation& violation) {
  return violation.path + ":" + std::to_string(violation.line) + ": " + violation.what;
}

std::vector<Violation> check_has_test(const std::vector<SourceFile>& files) {
  std::set<std::string> paths;
  for (const SourceFile& file : files) {
    paths.insert(file.path);
  }
  std::set<std::string> tested = included_by_tests(files);
  while (reach_further(files, paths, tested)) {
  }
  std::vector<Violation> found;
  for (const SourceFile& file : files) {
    const bool is_ours = file.path.ends_with(".cpp") && !file.path.starts_with("tests/");
    if (is_ours && !edges().contains(file.path) && !contains_any(tested, headers_for(file, paths))) {
      found.push_back({file.path, 1, "no test reaches it and it is no listed edge"});
    }
  }
  return found;
}

std::vector<std::string> listed_edges() {
  std::vector<std::string> paths;
  for (const auto& [path, what_tests_it] : edges()) {
    paths.emplace_back(path);
  }
  return paths;
}

std::vector<Violation> check_tree(const std::vector<SourceFile>& files) {
  std::vector<Violation> found = check_has_test(files);
  append(found, check_targets(files));
  for (const SourceFile& file : files) {
    for (const auto& check : {check_includes, check_core_is_pure, check_catch_all, check_todo, check_header,
                              check_bare_check, check_machine_paths}) {
      append(found, check(file));
    }
  }
  return found;
}

}  // namespace ranktide::tidy

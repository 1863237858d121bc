// What a large grid costs, stage by stage: read and validate, count every cell, know one trial from its index,
// and a submission until it is durable. One line of JSON. bench/plan_scale.py writes grids and runs it beside a
// rival.
//
//   plan_scale FILE.yaml DATA_FOLDER [TRIALS]     TRIALS: how many are looked up one by one, evenly spaced
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <stdexcept>
#include <string>
#include <sys/resource.h>

#include "common/sweep/grid.h"
#include "common/sweep/identity.h"
#include "common/sweep/sweep_yaml.h"
#include "coordinator/core/coordinator.h"
#include "coordinator/edge/store.h"

namespace {

using namespace ranktide;

double seconds_of(auto&& act) {
  const auto start = std::chrono::steady_clock::now();
  act();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

double peak_mib() {
  rusage used{};
  getrusage(RUSAGE_SELF, &used);
  return static_cast<double>(used.ru_maxrss) / 1024;
}

std::string text_of_file(const char* file) {
  const std::ifstream in(file);
  std::stringstream out;
  out << in.rdbuf();
  return out.str();
}

// Stands for files that were read: what they hold changes nothing that is measured.
void make_up_inputs(SweepSpec& spec) {
  const WantedInputs wanted = wanted_inputs(spec);
  for (const auto& model : wanted.models)
    spec.inputs.models[model_key(model)] = {.path = model.path, .base = BaseId("b"), .tokenizer_sha256 = "t"};
  for (const auto& data : wanted.data)
    spec.inputs.data[data_key(data.data, "t")] = {.sha256 = "d", .documents = 9, .tokens = 900, .rows = 9};
  for (const auto& file : wanted.files) spec.inputs.files[file] = "f";
}

// As the coordinator does it: the look before the turn, the turn, its commit.
void submit(const SweepSpec& spec, const char* folder) {
  Store store(folder, Store::Open::create);
  Coordinator coordinator({}, State{}, Instant{});
  Effects effects;
  Submit input{.reply_to = 1, .request_id = "r", .spec = spec};
  input.looked = look_at(input);
  if (!input.looked->fault.empty()) throw std::runtime_error(input.looked->fault);
  coordinator.step(Instant{}, input, effects);
  store.commit(effects.records, effects.points, 0);
}

}  // namespace

int main(int count, char** words) {
  if (count < 3) return std::fprintf(stderr, "plan_scale FILE.yaml DATA_FOLDER [TRIALS]\n"), 2;
  const int64_t looked_up = count > 3 ? std::atoll(words[3]) : 1000;
  const std::string text = text_of_file(words[1]);
  SweepSpec spec;
  const double read = seconds_of([&] { spec = parse_sweep(text, words[1], "/sweeps", {}, 100'000'000); });
  make_up_inputs(spec);
  int64_t trials = 0;
  const double counted = seconds_of([&] { trials = trial_count(spec, Grid(spec).counts()); });
  const double mib = peak_mib();
  const Grid grid(spec);
  const int64_t stride = std::max<int64_t>(1, grid.raw_count() / looked_up);
  int64_t found = 0;
  const double walked = seconds_of([&] {
    for (int64_t raw = 0; raw < grid.raw_count(); raw += stride) found += grid.at(raw) ? 1 : 0;
  });
  const auto asked = static_cast<double>((grid.raw_count() + stride - 1) / stride);
  const double submitted = seconds_of([&] { submit(spec, words[2]); });
  std::printf(
      "{\"raw\": %lld, \"trials\": %lld, \"read_s\": %.4f, \"count_s\": %.4f, \"count_mib\": %.1f, "
      "\"trial_us\": %.2f, \"found\": %lld, \"submit_s\": %.4f}\n",
      static_cast<long long>(grid.raw_count()), static_cast<long long>(trials), read, counted, mib,
      walked / asked * 1e6, static_cast<long long>(found), submitted);
}

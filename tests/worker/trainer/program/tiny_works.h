#pragma once
// Works over a tiny world: a random model, generated text, evaluation files. One verb per thing a test says or
// hears.

#include <functional>
#include <gtest/gtest.h>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "tests/worker/trainer/program/trainer_process.h"
#include "tests/worker/trainer/tiny_model.h"

namespace ranktide {

// What a work had to tell, in all.
struct Told {
  std::map<std::string, std::map<Step, double>> points;  // name -> step -> value
  std::map<std::string, EvalResult> evals;               // id -> result
  std::vector<Step> checkpoints;
  std::vector<std::string> phases;
  std::optional<Outcome> outcome;  // nullopt: the trainer ended first
};

class TinyWorks : public testing::Test {
 protected:
  void SetUp() override;

  std::filesystem::path model() const { return folder_ / "model"; }
  std::filesystem::path work_dir() const { return folder_ / "work"; }
  std::filesystem::path artifact(const std::string& name) const;

  // A work that trains: the name makes stage and trial ids. Of dtype_, two rows of 32 tokens a step, dropout
  // where it exists.
  Work training(const std::string& name, Method method, Step steps) const;
  Work evaluation(const std::vector<EvalOrder>& evals) const;
  EvalOrder loss_eval(const std::string& id, Step at) const;
  EvalOrder choice_eval(const std::string& id, Step at) const;

  TrainerProcess& trainer();  // started when first asked for
  void restart_trainer() { trainer_.reset(); }
  // Hears a work to its end; `on_report` sees each report and may act.
  Told run(const Work& work, Attempt attempt = 1,
           const std::function<void(const TrainerReport&)>& on_report = {});
  static RunWork order(const Work& work, Attempt attempt);

  ScratchFolder folder_;
  Dtype dtype_ = Dtype::fp32;  // of the works that are made from now on
  std::optional<TrainerReady> ready_;

 private:
  std::optional<TrainerProcess> trainer_;
};

// A fixture whose works are of each dtype in turn.
template <class Works>
class OfADtype : public Works, public testing::WithParamInterface<Dtype> {
 protected:
  OfADtype() { this->dtype_ = this->GetParam(); }
};
inline const auto kEitherDtype = testing::Values(Dtype::fp32, Dtype::bf16);
inline std::string dtype_name(const testing::TestParamInfo<Dtype>& at) {
  return std::string(text_of(at.param));
}

}  // namespace ranktide

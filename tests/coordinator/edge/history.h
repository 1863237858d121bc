#pragma once
// A small language for histories of records: one verb per thing that happens, ids made from words. For tests of
// the store and of everything that reads it. The clock starts at 2026-01-01 and moves a second per turn.

#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "coordinator/edge/query_frame.h"
#include "coordinator/edge/reader.h"
#include "coordinator/edge/store.h"
#include "tests/temporary_folder.h"

namespace ranktide {

// What a test says of a trial; the rest is the same for all.
struct TrialWords {
  std::string regime = "math";
  int rank = 0;  // 0: full finetuning
  std::string target = "all";
  double lr = 5e-4;
  uint64_t seed = 0;
  int batch = 2;
  std::string tokenizer{};    // empty: the model's own
  std::string lr_label{};     // as the sweep's axis has it; empty: no axis
  std::string train_label{};  // the same of data.train
  bool is_evaluated_midway = false;
  std::string from{};  // model.from; empty: the base
  StepsOrShare warmup{.steps = {}, .share = 0.1};
  std::string shots{};  // its evals' own way of asking, under the same names; empty: the usual one
};

class History {
 public:
  explicit History(const std::filesystem::path& data_folder);

  void begin();  // epoch, a worker w1
  void submit(const std::string& sweep, int revision = 1, std::optional<int64_t> trial_count = {});
  SweepTrial list(const TrialWords& words);                  // into the sweep submitted last
  SweepTrial list_branch(const TrialWords& words, Step at);  // that begins with a trunk, and leaves it there
  void grant_trunk();
  Lease trunk() const;
  void listed();
  void base_scores(double learn_loss, double retain_loss, const TrialWords& of = {});
  void base_eval_fails(const std::string& message, bool is_last);  // an attempt at the learn eval's
  void grant(const SweepTrial& trial);
  void points(const SweepTrial& trial, const std::vector<Point>& points);
  void midway(const SweepTrial& trial, double learn_loss, double retain_loss);  // its evals at kSteps / 2
  void finish(const SweepTrial& trial, double learn_loss, double retain_loss);  // its evals, then completed
  void end(const SweepTrial& trial, OutcomeKind kind, const std::string& message);
  // list + grant + finish.
  SweepTrial ran(const TrialWords& words, double learn_loss, double retain_loss);

  void record(const Record& record);
  Lease lease(const SweepTrial& trial) const;
  Store& store() { return *store_; }
  void close() { store_.reset(); }
  Reader reader() const { return Reader(folder_); }

  static constexpr Step kSteps = 12;
  std::string device;            // of what ends from now on; empty: not told
  int numerics = 0;              // of what ends from now on; 0: not told
  bool exact = true;             // of what ends from now on
  std::string boot = "a";        // of the life of w1 that is granted to from now on
  int64_t tokens = 6'000;        // of what ends from now on
  std::optional<Tuning> tune{};  // of what is submitted from now on
  PredictedMemory memory{};      // of what is listed from now on

 private:
  static SweepTrial trial_of(const TrialWords& words);
  void evaluated(const SweepTrial& trial, Step at, double learn_loss, double retain_loss);
  SweepTrial list_in(const TrialWords& words, const std::optional<TrunkPlace>& trunk);

  std::filesystem::path folder_;
  std::unique_ptr<Store> store_;
  SweepNumber sweep_ = 0;
  int revision_ = 1;
  int64_t listed_ = 0;
  std::map<std::string, Attempt> attempts_;
  std::map<std::string, SweepNumber> sweeps_;
  int64_t now_ms_ = 1'767'225'600'000;
};

// Returns: the value in the first row whose `key` column has this text; fails the test when there is none.
Value value_at(const Frame& frame, const std::string& key, const std::string& text, const std::string& column);
double number_at(const Frame& frame, const std::string& key, const std::string& text,
                 const std::string& column);

}  // namespace ranktide

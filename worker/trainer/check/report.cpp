#include "worker/trainer/check/report.h"

#include <algorithm>
#include <cmath>
#include <iomanip>
#include <sstream>

namespace ranktide {
namespace {

Verdict verdict_of(const TrainingRow& row) {
  return row.failure.empty() ? Verdict::ok : Verdict::failed;
}

const char* word_of(Verdict verdict) {
  if (verdict == Verdict::failed) return "FAILED";
  return verdict == Verdict::warning ? "warning" : "ok";
}

constexpr int kVerdictWidth = 9, kSubjectWidth = 11;

void add_table(std::ostream& out, const std::vector<TrainingRow>& rows) {
  out << "\nSteps of training beside the same steps in fp64 on the CPU. loss error: largest relative "
         "difference of a\n"
         "step's loss. resume: cut in the middle, the same bits. peak MiB: of the process, LibTorch with it; "
         "on a GPU\n"
         "what its allocator handed out.\n";
  out << std::left << std::setw(kVerdictWidth) << "" << std::setw(9) << "family" << std::setw(8) << "method"
      << std::setw(6) << "dtype" << std::right << std::setw(11) << "loss error" << std::setw(9) << "limit"
      << std::setw(8) << "resume" << std::setw(9) << "steps/s" << std::setw(10) << "peak MiB"
      << "\n";
  for (const TrainingRow& row : rows) {
    out << std::left << std::setw(kVerdictWidth) << word_of(verdict_of(row)) << std::setw(9) << row.family
        << std::setw(8) << text_of(row.method) << std::setw(6) << text_of(row.dtype) << std::right
        << std::scientific << std::setprecision(1) << std::setw(11) << row.loss_error << std::setw(9)
        << row.loss_error_max << std::setw(8) << (row.resumes_exactly ? "exact" : "not") << std::fixed
        << std::setprecision(0) << std::setw(9) << row.steps_per_second << std::setw(10)
        << (row.memory_peak_bytes >> 20) << (row.failure.empty() ? "" : "  ") << row.failure << "\n";
  }
}

Json json_of_finding(const Finding& f) {
  return {{"verdict", word_of(f.verdict)}, {"subject", f.subject}, {"detail", f.detail}};
}

Json json_of_row(const TrainingRow& row) {
  return {{"verdict", word_of(verdict_of(row))},
          {"family", row.family},
          {"method", text_of(row.method)},
          {"dtype", text_of(row.dtype)},
          {"loss_error", std::isfinite(row.loss_error) ? Json(row.loss_error) : Json(nullptr)},
          {"loss_error_max", row.loss_error_max},
          {"resumes_exactly", row.resumes_exactly},
          {"steps_per_second", row.steps_per_second},
          {"memory_peak_bytes", row.memory_peak_bytes},
          {"failure", row.failure}};
}

}  // namespace

bool passed(const SelfcheckReport& report) {
  return std::none_of(report.foundations.begin(), report.foundations.end(),
                      [](const Finding& f) { return f.verdict == Verdict::failed; }) &&
         std::all_of(report.trainings.begin(), report.trainings.end(),
                     [](const TrainingRow& row) { return row.failure.empty(); });
}

std::string as_text(const SelfcheckReport& report) {
  std::ostringstream out;
  for (const Finding& f : report.foundations)
    out << std::left << std::setw(kVerdictWidth) << word_of(f.verdict) << std::setw(kSubjectWidth) << f.subject
        << f.detail << "\n";
  if (!report.trainings.empty()) add_table(out, report.trainings);
  return out.str();
}

Json as_json(const SelfcheckReport& report) {
  Json foundations = Json::array(), trainings = Json::array();
  for (const Finding& f : report.foundations) foundations.push_back(json_of_finding(f));
  for (const TrainingRow& row : report.trainings) trainings.push_back(json_of_row(row));
  return {{"good", passed(report)}, {"foundations", foundations}, {"trainings", trainings}};
}

}  // namespace ranktide

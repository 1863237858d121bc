#pragma once
// A whole experiment in a temporary folder, small enough to run in seconds: a random Llama-style model in
// Hugging Face's form, generated text and word problems, and a sweep file over two regimes, LoRA and full, two
// seeds.

#include <filesystem>
#include <string>
#include <vector>

#include "common/vocabulary/wire.h"
#include "tests/e2e/program.h"

namespace ranktide::e2e {

class TinyWorld {
 public:
  TinyWorld();
  ~TinyWorld();

  std::filesystem::path folder() const { return folder_; }
  std::filesystem::path data() const { return folder_ / "data_folder"; }
  std::filesystem::path sweep() const { return folder_ / "tiny.yaml"; }
  std::filesystem::path model() const { return folder_ / "model"; }

  // Returns: the sweep file's text; `steps` makes trials longer, `seeds` more.
  static std::string sweep_text(int steps = 4, int seeds = 2);
  void write_sweep(const std::string& text) const { write_text(sweep(), text); }

  // The command line of the program under test with this world's data folder.
  std::vector<std::string> command(std::vector<std::string> arguments) const;
  Ended ranktide(std::vector<std::string> arguments,
                 std::chrono::seconds limit = std::chrono::seconds{600}) const;
  // Returns: the rows of `ranktide query tiny --json` with these further arguments.
  Json query_rows(std::vector<std::string> arguments = {}) const;

 private:
  void write_model() const;
  void write_texts() const;

  std::filesystem::path folder_;
};

// Returns: how many steps make each trial of sweep_text train for at least so long on this machine, by the
// shortest of one trial per cell, each alone: tests that act in the middle of a trial need one with a middle.
int steps_of_a_long_trial(double seconds);

std::filesystem::path ranktide_program();
std::filesystem::path trainer_program();

}  // namespace ranktide::e2e

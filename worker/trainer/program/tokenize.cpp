// `tokenize`: the window on common/text's tokenizer.

#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>

#include "common/text/tokenizer.h"
#include "worker/trainer/program/command.h"
#include "worker/trainer/program/text_lines.h"

namespace ranktide {
namespace {

struct TokenizeOptions {
  std::string model;
  std::string file = "-";
  bool no_special = false;
};

int tokenize(const TokenizeOptions& options) {
  const Tokenizer tokenizer = Tokenizer::load(options.model);
  const Special special = options.no_special ? Special::as_text : Special::recognise;
  for (const std::string& line : split_lines(read_all(options.file)))
    std::cout << nlohmann::json(tokenizer.encode(line, special)).dump() << "\n";
  std::cout.flush();
  if (std::cout) return kExitOk;
  std::cerr << "error: standard output could not be written\n";
  return kExitFailed;
}

}  // namespace

std::function<int()> setup_tokenize(CLI::App& command) {
  const auto options = std::make_shared<TokenizeOptions>();
  command.add_option("--model", options->model, "folder with tokenizer.json")->required();
  command.add_flag("--no-special", options->no_special,
                   "spell special tokens out in ordinary ones, as training data and prompts are encoded");
  command.add_option("FILE", options->file, "text; standard input when absent or -");
  return [options] { return tokenize(*options); };
}

}  // namespace ranktide

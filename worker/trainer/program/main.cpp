// ranktide-trainer: parses the command line, runs one command, turns what it throws into a message and an exit
// code.

#include <exception>
#include <iostream>

#include "worker/trainer/program/command.h"

namespace ranktide {

const std::vector<Command>& commands() {
  static const std::vector<Command> table = {
      {"tokenize", "token ids of each line of a file or of standard input",
       "One JSON list of ids per line of input, split at \\n only.\n"
       "Example:\n  ranktide-trainer tokenize --model models/smollm2-135m notes.txt",
       setup_tokenize},
      {"logits", "logits of token sequences, as safetensors",
       "FILE.jsonl holds one JSON list of ids per line; line N (from 0) becomes the tensor logits.N, [T, V] in "
       "fp32.\n"
       "Example:\n  ranktide-trainer logits --model models/smollm2-135m --ids ids.jsonl -o logits.safetensors",
       setup_logits},
      {"eval", "score a model on an evaluation file",
       "Rows: {query, choices, gold} or {context_options, continuation, gold} for choice; {context, "
       "continuation},\n"
       "prompt and completion, or {text} for loss. With --items one JSON object per row of the file:\n"
       "  loss    {item, tokens, loglik, choice: null, correct}: scored tokens, their summed log-likelihood in "
       "nats,\n"
       "          and whether each is the model's first choice\n"
       "  choice  {item, tokens, loglik, choice, correct}: tokens and loglik are lists with one entry per "
       "choice,\n"
       "          choice is the index of the winner\n"
       "else one JSON object {metric, value, stderr, items, tokens}.\n"
       "Example:\n  ranktide-trainer eval --model models/smollm2-135m --data piqa.jsonl --kind choice --items",
       setup_eval},
      {"restore", "full weights from a base and what run.keep: delta kept of a trial",
       "Writes a Hugging Face folder, fp32, with the bytes that run.keep: weights would have kept; every "
       "tensor is "
       "checked\n"
       "against the SHA-256 that delta.json has of it. Prints the folder.\n"
       "Example:\n  ranktide-trainer restore --model models/smollm2-135m --delta fetched -o restored",
       setup_restore},
      {"selfcheck", "check what the trainer stands on, and that it trains and resumes as it should",
       "One line per check of LibTorch, threads and kernels; then small models of every family, in a folder "
       "below "
       "TMPDIR\n"
       "that is removed, train for some steps beside the same steps in fp64, and once more cut and resumed. "
       "Exit "
       "code 1\n"
       "when a line says FAILED; warnings do not count. --quick leaves the trainings out, which take some "
       "seconds.\n"
       "--device cuda takes the same way on a GPU; none has been seen to pass yet.\n"
       "Example:\n  ranktide-trainer selfcheck",
       setup_selfcheck},
      {"gemm", "measure this machine's matrix products, from which times of trials are predicted",
       "M, N, K of a product (M, K) (K, N) and its rate; with --json one JSON object {device, instructions, "
       "isa,\n"
       "threads, libtorch, numerics_version, widens_bf16, bytes_per_second, rows: [{dtype, m, n, k,\n"
       "flops_per_second}]}. `ranktide doctor --measure` keeps it for `ranktide plan`.\n"
       "Example:\n  ranktide-trainer gemm --threads 1 --json",
       setup_gemm},
      {"serve", "run the works that a worker hands over (started by a worker, not by hand)",
       "Commands come in on descriptor 3, reports go out on descriptor 4; the log is standard error.\n"
       "Exit codes: 0 told to stop, 71 device fault, 78 bad start configuration, a device that is not to be "
       "had for one.\n"
       "Example:\n  ranktide-trainer serve --work-dir trainer --threads 1 3<commands 4>reports",
       setup_serve},
  };
  return table;
}

namespace {

int run(int argc, char** argv) {
  CLI::App app("ranktide-trainer: the part of ranktide that computes", "ranktide-trainer");
  app.require_subcommand(1);
  std::function<int()> chosen;
  for (const Command& entry : commands()) {
    CLI::App* command = app.add_subcommand(entry.name, entry.summary);
    command->footer(entry.footer);
    const auto act = entry.setup(*command);
    command->callback([&chosen, act] { chosen = act; });
  }
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& e) {
    return app.exit(e) == 0 ? kExitOk : kExitUsage;
  }
  try {
    return chosen();
  } catch (const std::exception& e) {
    std::cerr << "error: " << e.what() << "\n";
    return kExitFailed;
  }
}

}  // namespace
}  // namespace ranktide

int main(int argc, char** argv) {
  return ranktide::run(argc, argv);
}

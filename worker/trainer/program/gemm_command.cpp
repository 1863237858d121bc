// `gemm`: prints what gemm.h measures.

#include <algorithm>
#include <iomanip>
#include <iostream>
#include <memory>
#include <string>

#include "common/vocabulary/wire.h"
#include "worker/trainer/lm/device.h"
#include "worker/trainer/program/command.h"
#include "worker/trainer/program/gemm.h"
#include "worker/trainer/program/model_choice.h"

namespace ranktide {
namespace {

struct GemmOptions {
  int threads = 1;
  std::string device = "cpu";
  bool json = false;
};

void print_for_people(const ProductTable& table) {
  std::cout << table.device << ", " << table.isa << ", " << table.threads << " thread(s), LibTorch "
            << table.libtorch << "\n"
            << std::fixed << std::setprecision(1) << "memory  " << 1e-9 * table.bytes_per_second << " GB/s\n";
  if (table.widens_bf16) std::cout << "bf16 is widened to fp32, whose kernels multiply it\n";
  for (const MeasuredProduct& p : table.rows)
    std::cout << text_of(p.dtype) << std::setw(6) << p.m << std::setw(6) << p.n << std::setw(6) << p.k
              << std::setw(9) << 1e-9 * p.flops_per_second << " GFLOP/s\n";
}

int print_products(const GemmOptions& options) {
  const ProductTable table = measure_products(options.threads, device_named(options.device));
  if (options.json)
    std::cout << to_json(table).dump() << "\n";
  else
    print_for_people(table);
  return kExitOk;
}

}  // namespace

std::function<int()> setup_gemm(CLI::App& command) {
  const auto options = std::make_shared<GemmOptions>();
  command.add_option("--threads", options->threads, "CPU threads")
      ->check(CLI::Range(1, 1024))
      ->capture_default_str();
  add_device_option(command, options->device);
  command.add_flag("--json", options->json, "one JSON object, every product a row");
  return [options] { return print_products(*options); };
}

}  // namespace ranktide

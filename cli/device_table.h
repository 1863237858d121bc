#pragma once
// This machine's measured products (common/model/product_table.h), kept in the data folder under what they
// depend on: processor, instructions, threads, versions of ranktide and of LibTorch. Written by `doctor
// --measure` and by a first `run`, read by `plan`. A table that cannot be used is no table: times are guessed.
// One that another version of the trainer's arithmetic measured tells nothing of this one's time.

#include <filesystem>
#include <functional>
#include <optional>
#include <string>

#include "cli/timed_slots.h"
#include "common/model/processor.h"
#include "common/model/product_table.h"

namespace ranktide::cli {

// Returns: DATA/devices/KEY.json.
std::filesystem::path device_table_file(const std::filesystem::path& data, const Processor& processor,
                                        int threads);

// Returns: this machine's table for trainers of so many threads; nullopt when it has none. A file that is torn,
// of another machine, or of another version of the arithmetic, counts as none, and `say` is told why.
std::optional<ProductTable> kept_table(const std::filesystem::path& data, int threads,
                                       const std::function<void(const std::string&)>& say);

// Returns: the table that tells of these slots, as above; nullopt where none does, as they are not all cores of
// this machine's processor with as many threads. Of GPUs any is as good: only trials tell their times.
std::optional<ProductTable> kept_table(const std::filesystem::path& data, const TimedSlots& slots,
                                       const std::function<void(const std::string&)>& say);

// Returns: the command that measures this machine for trainers of so many threads.
std::string measure_command(int threads);

// Replaces what was kept, whole or not at all. Throws: CommandError when the folder cannot be written.
void keep_table(const std::filesystem::path& data, const ProductTable& table);

// Runs `TRAINER gemm`, which takes about 10 s. Throws: CommandError when it fails or prints no table.
ProductTable measured_table(const std::filesystem::path& trainer, int threads);

}  // namespace ranktide::cli

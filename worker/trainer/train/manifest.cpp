#include "worker/trainer/train/manifest.h"

#include <fstream>
#include <sstream>

#include "common/vocabulary/sha256.h"
#include "common/vocabulary/wire.h"
#include "worker/trainer/train/trainer.h"

namespace ranktide {

void write_manifest(const Manifest& manifest, const std::filesystem::path& folder) {
  const auto path = folder / kManifestName;
  std::ofstream out(path, std::ios::trunc);
  out << to_json(manifest).dump(2) << "\n";
  out.close();
  if (!out) throw TrainError(path.string() + ": cannot be written; is the disk full?");
}

Manifest read_manifest(const std::filesystem::path& folder) {
  const auto path = folder / kManifestName;
  std::ifstream in(path, std::ios::binary);
  if (!in && !std::filesystem::exists(path)) throw DamagedCheckpoint(path.string() + ": missing");
  if (!in) throw TrainError(path.string() + ": cannot be read");
  std::stringstream text;
  text << in.rdbuf();
  Manifest manifest;
  try {
    manifest = from_json<Manifest>(parse_json(text.str()));
  } catch (const ProtocolError& e) {
    throw DamagedCheckpoint(path.string() + ": " + e.what());
  }
  if (manifest.format != kCheckpointFormat)
    throw TrainError(path.string() + ": format " + std::to_string(manifest.format) + " is not known here");
  if (manifest.files.empty()) throw DamagedCheckpoint(path.string() + ": names no files");
  for (const auto& [name, sha256] : manifest.files) {
    if (name.find('/') != std::string::npos)
      throw DamagedCheckpoint(path.string() + ": names a file elsewhere: " + name);
    if (!std::filesystem::exists(folder / name))
      throw DamagedCheckpoint((folder / name).string() + ": missing");
    if (sha256_of_file(folder / name) != sha256)
      throw DamagedCheckpoint((folder / name).string() + ": damaged, its SHA-256 differs");
  }
  return manifest;
}

std::string refusal(const Manifest& m, const Engine& engine) {
  if (m.numerics_version != engine.numerics_version)
    return "it was made by numerics version " + std::to_string(m.numerics_version) + ", this is " +
           std::to_string(engine.numerics_version);
  if (m.threads != engine.threads)
    return "it was made with " + std::to_string(m.threads) + " threads, this trainer has " +
           std::to_string(engine.threads);
  if (m.isa != engine.isa)
    return "it was made with instruction set " + m.isa + ", this machine has " + engine.isa;
  if (m.libtorch != engine.libtorch)
    return "it was made with LibTorch " + m.libtorch + ", this is " + engine.libtorch;
  return "";
}

// Another processor of the same instructions may round sums apart. A day of training is worth more than a
// promise about their last bits.
std::string inexactness(const Manifest& m, const Engine& engine) {
  if (!m.exact) return "what it goes on from was not either";
  const bool are_known = !m.processor.empty() && !engine.processor.empty();
  if (are_known && m.processor != engine.processor)
    return "it was begun on processor " + m.processor + ", this is " + engine.processor;
  return "";
}

}  // namespace ranktide

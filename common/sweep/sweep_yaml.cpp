#include "common/sweep/sweep_yaml.h"

#include <cerrno>
#include <cstring>
#include <fstream>
#include <iostream>

#include "common/sweep/draft_blocks.h"
#include "common/sweep/draft_check.h"
#include "common/sweep/key_origin.h"
#include "common/sweep/overrides.h"

namespace ranktide {
namespace {

[[noreturn]] void refuse_unreadable(const std::string& name) {
  throw SpecError("cannot read " + name + " (" + std::strerror(errno) + "); give the path of a sweep file");
}

std::string contents_of(std::istream& in, const std::string& name) {
  std::string out(kYamlBytesMax + 1, '\0');  // one byte more than is allowed, never the whole of a huge file
  in.read(out.data(), static_cast<std::streamsize>(out.size()));
  if (in.bad()) refuse_unreadable(name);
  out.resize(static_cast<size_t>(in.gcount()));
  return out;
}

std::string contents_of(const std::filesystem::path& file) {
  std::ifstream in(file, std::ios::binary);
  if (!in) refuse_unreadable(file.string());
  return contents_of(in, file.string());
}

// A text on its way to a spec: what its draft says, and the spec that it makes with the overrides.
struct ReadSweep {
  SweepDraft draft;
  SweepSpec spec;
};

// Nothing is said of a whole whose parts have errors: an override may have been meant for a part that failed.
ReadSweep read_all(const SourceText& source, const std::filesystem::path& base_folder,
                   const std::vector<std::string>& overrides, int64_t max_trials) {
  SpecErrors errors;
  const ReadingPlace place{source, std::filesystem::absolute(base_folder), &errors};
  ReadSweep out{.draft = {}, .spec = {}};
  if (!errors.attempt([&] { out.draft = read_draft(parse_yaml(source, &errors), place); }))
    errors.throw_if_any();
  if (!out.draft.top_is_whole) errors.throw_if_any();
  out.spec = out.draft.head;
  out.spec.max_trials = max_trials;
  out.spec.blocks = built_blocks(out.draft, changes_of(overrides), place);
  if (errors.count() > 0 && overrides.empty()) {
    finish_blocks(out.spec);
    check_blocks(out.draft, out.spec.blocks, place);
  }
  errors.throw_if_any();
  const auto ordered = labels_first(overrides, out.spec);
  for (auto text = ordered.begin(); text != ordered.end(); ++text)
    errors.attempt([&] {
      apply_override(out.spec, *text, place.folder, changes_of({std::next(text), ordered.end()}));
    });
  errors.throw_if_any();
  for (const auto& text : overrides) errors.attempt([&] { refuse_without_effect(out.spec, text); });
  errors.throw_if_any();
  finish_blocks(out.spec);
  add_included_cells(out.draft, out.spec, place);
  errors.attempt([&] { check_sweep(out.draft, out.spec, place); });
  errors.throw_if_any();
  return out;
}

struct SweepFile {
  SourceText source;
  std::filesystem::path folder;
};

SweepFile opened(const std::filesystem::path& file) {
  if (file == kStandardInput) return {SourceText("stdin", contents_of(std::cin, "standard input")), "."};
  return {SourceText(file.string(), contents_of(file)), std::filesystem::absolute(file).parent_path()};
}

}  // namespace

SweepSpec parse_sweep(std::string_view text, const std::string& name_for_messages,
                      const std::filesystem::path& base_folder, const std::vector<std::string>& overrides,
                      int64_t max_trials) {
  const SourceText source(name_for_messages, std::string(text));
  return read_all(source, base_folder, overrides, max_trials).spec;
}

SweepSpec read_sweep(const std::filesystem::path& file, const std::vector<std::string>& overrides,
                     int64_t max_trials) {
  const SweepFile read = opened(file);
  return read_all(read.source, read.folder, overrides, max_trials).spec;
}

std::vector<KeyOrigins> origins_in_sweep(const std::filesystem::path& file,
                                         const std::vector<std::string>& overrides, int64_t max_trials,
                                         const std::string& key) {
  const SweepFile read = opened(file);
  const ReadSweep sweep = read_all(read.source, read.folder, overrides, max_trials);
  return origins_of(key, sweep.draft, sweep.spec, overrides, read.source);
}

}  // namespace ranktide

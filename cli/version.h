#pragma once

namespace ranktide::cli {

inline constexpr const char* kVersion = RANKTIDE_VERSION;  // from CMake's project()

}  // namespace ranktide::cli

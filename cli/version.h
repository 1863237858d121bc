#pragma once
// The version, as `--version`, reports and Hello say it. It comes from project() in CMakeLists.txt.

namespace ranktide::cli {

inline constexpr const char* kVersion = RANKTIDE_VERSION;  // from CMake's project()

}  // namespace ranktide::cli

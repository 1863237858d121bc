#pragma once
// The look of a report: one style sheet, light and dark by the reader's own setting, Okabe and Ito's palette.

namespace ranktide {

inline constexpr int kPaletteSize = 8;
extern const char* const kReportStyle;

}  // namespace ranktide

#pragma once
// A frame as people read it: means rounded to their half width's two digits, units spelt out. Not for machines
// (query_frame.h keeps full precision there). Pure.

#include <string>
#include <vector>

#include "coordinator/edge/query_frame.h"

namespace ranktide {

// The texts of a table's cells: half widths merged into their means, details left out.
struct TableText {
  std::vector<std::string> head;
  std::vector<bool> is_number;  // per column: set on the right
  std::vector<std::vector<std::string>> rows;
};
TableText table_text(const Frame& frame);

std::string as_table(const Frame& frame);
std::string as_markdown(const Frame& frame);

// Returns: digits behind the point so that `half_width` shows two significant digits, 0 to 9.
int decimals_for(double half_width);

// Returns: "45.2 s", "12m 05s"; from an hour on as duration_text().
std::string seconds_text(double seconds);

}  // namespace ranktide

#include "coordinator/edge/client_version.h"

#include <algorithm>
#include <charconv>
#include <string_view>

namespace ranktide {
namespace {

constexpr std::string_view kWire = "; wire=";
constexpr size_t kVersionBytesMax = 40;

std::optional<int> wire_in(std::string_view header) {
  const size_t at = header.rfind(kWire);
  if (at == std::string_view::npos) return std::nullopt;
  const std::string_view number = header.substr(at + kWire.size());
  int out = 0;
  const auto [end, error] = std::from_chars(number.data(), number.data() + number.size(), out);
  if (error != std::errc{} || end != number.data() + number.size()) return std::nullopt;
  return out;
}

std::string both(const std::string& theirs, const std::string& ours) {
  return "this client is ranktide " + theirs + ", the coordinator ranktide " + ours +
         " (submissions of version " + std::to_string(kSubmitWireVersion) +
         "): settings could be lost between them; use one version on both sides";
}

}  // namespace

std::string client_header(const std::string& program_version) {
  return program_version + std::string(kWire) + std::to_string(kSubmitWireVersion);
}

std::optional<ApiResponse> refuse_submission_of(const std::string& header, const std::string& our_version) {
  if (header.empty()) return std::nullopt;
  const auto wire = wire_in(header);
  if (wire == kSubmitWireVersion) return std::nullopt;
  const std::string version = header.substr(0, std::min(header.find(';'), kVersionBytesMax));
  const std::string theirs =
      version + (wire ? " (submissions of version " + std::to_string(*wire) + ")" : " (of no known version)");
  return failure(400, both(theirs, our_version));
}

}  // namespace ranktide

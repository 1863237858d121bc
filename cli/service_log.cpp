#include "cli/service_log.h"

#include <chrono>
#include <fmt/chrono.h>
#include <fmt/format.h>
#include <spdlog/formatter.h>
#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include "common/vocabulary/wire.h"

namespace ranktide::cli {
namespace {

constexpr size_t kEventBytesMax = 8'000;

class JsonLines : public spdlog::formatter {
 public:
  void format(const spdlog::details::log_msg& message, spdlog::memory_buf_t& out) override {
    const auto since_1970 = message.time.time_since_epoch();
    const std::string_view level{spdlog::level::to_string_view(message.level).data(),
                                 spdlog::level::to_string_view(message.level).size()};
    const std::string line =
        json_log_line(std::chrono::duration_cast<std::chrono::microseconds>(since_1970).count(), level,
                      {message.payload.data(), message.payload.size()});
    out.append(line.data(), line.data() + line.size());
  }
  std::unique_ptr<spdlog::formatter> clone() const override { return std::make_unique<JsonLines>(); }
};

}  // namespace

void add_log_format(CLI::App& command, std::string& format) {
  command
      .add_option("--log-format", format,
                  "text or json, an object a line; default: text on a terminal, json elsewhere")
      ->envname("RANKTIDE_LOG_FORMAT")
      ->check(CLI::IsMember({"text", "json"}));
}

bool writes_json(const std::string& format, bool is_terminal) {
  return format.empty() ? !is_terminal : format == "json";
}

void log_as_service(const std::string& format) {
  if (writes_json(format, ::isatty(STDERR_FILENO) != 0)) spdlog::set_formatter(std::make_unique<JsonLines>());
}

std::string json_log_line(int64_t unix_us, std::string_view level, std::string_view event) {
  const auto second = fmt::gmtime(static_cast<std::time_t>(unix_us / 1'000'000));
  const Json line{{"at", fmt::format("{:%Y-%m-%dT%H:%M:%S}.{:06}Z", second, unix_us % 1'000'000)},
                  {"level", level},
                  {"event", event.substr(0, kEventBytesMax)}};
  return line.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace ranktide::cli

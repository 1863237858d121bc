#include "bench/train_order.h"

#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "common/sweep/setting_check.h"

namespace ranktide::bench {
namespace {

std::vector<std::string> split(const std::string& text) {
  std::vector<std::string> parts(1);
  for (const char c : text) c == ':' ? void(parts.emplace_back()) : parts.back().push_back(c);
  return parts;
}

TrialSettings settings_of(const std::string& method, const std::string& dtype_text, const Shape& shape) {
  if (dtype_text != "fp32" && dtype_text != "bf16") throw std::invalid_argument("no dtype: " + dtype_text);
  const Dtype dtype = dtype_text == "bf16" ? Dtype::bf16 : Dtype::fp32;
  if (method == "full") return full_settings(dtype, shape);
  const std::vector<std::string> words = split(method);
  if (words.front() != "lora" || words.size() == 2 || words.size() > 4)
    throw std::invalid_argument("no method: " + method);
  if (words.size() == 1) return lora_settings(dtype, shape, 16, modules_of("all"));
  TrialSettings settings = lora_settings(dtype, shape, std::stoi(words[1]), modules_of(words[2]));
  if (words.size() == 4) settings.lora->dropout = std::stod(words[3]);
  return settings;
}

void take_word(Order& order, const std::string& word) {
  const auto value_of = [&](std::string_view name) -> std::optional<std::string> {
    return word.starts_with(name) ? std::optional(word.substr(name.size())) : std::nullopt;
  };
  if (const auto file = value_of("ids="))
    order.ids = *file;
  else if (const auto folder = value_of("start="))
    order.start = *folder;
  else if (const auto table = value_of("products="))
    order.products = *table;
  else if (word == "parts")
    order.tells_parts = true;
  else if (word == "paced")
    order.is_paced = true;
  else
    throw std::invalid_argument("no such word: " + word);
}

}  // namespace

Order order_of(int count, char** args) {
  Order order{.model = args[1], .shape = {.rows = std::stoi(args[4]), .tokens = std::stoi(args[5])}};
  order.settings = settings_of(args[2], args[3], order.shape);
  order.threads = std::stoi(args[6]);
  order.steps = std::stoi(args[7]);
  for (int i = 8; i < count; ++i) take_word(order, args[i]);
  const bool has_output = order.steps > kWarmSteps || (order.steps == 0 && !order.products.empty());
  if (!has_output) throw std::invalid_argument("the first two steps count for nothing: ask for more");
  return order;
}

}  // namespace ranktide::bench

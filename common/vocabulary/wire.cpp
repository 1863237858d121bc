#include "common/vocabulary/wire.h"

#include <algorithm>

template class nlohmann::basic_json<>;

namespace ranktide {
namespace {

constexpr size_t kDepthMax = 32;

// Text as JSON can hold it: what is no UTF-8 becomes U+FFFD. A byte of a worker's message that a JSON writer
// refuses would otherwise stay in the journal for good.
std::string as_text(std::string&& bytes) {
  const bool is_ascii =
      std::all_of(bytes.begin(), bytes.end(), [](char c) { return static_cast<signed char>(c) >= 0; });
  if (is_ascii) return std::move(bytes);
  return Json::parse(Json(std::move(bytes)).dump(-1, ' ', false, Json::error_handler_t::replace));
}

// Builds a Json while it counts nesting and watches for keys given twice. Not the library's parser, because
// that one recurses without a bound on MessagePack and lets the last of two equal keys win.
class BoundedSax : public nlohmann::json_sax<Json> {
 public:
  Json take() { return std::move(root_); }

  bool null() override { return place(nullptr); }
  bool boolean(bool v) override { return place(v); }
  bool number_integer(number_integer_t v) override { return place(v); }
  bool number_unsigned(number_unsigned_t v) override { return place(v); }
  bool number_float(number_float_t v, const string_t&) override { return place(v); }
  bool string(string_t& v) override { return place(as_text(std::move(v))); }
  bool binary(binary_t&) override { throw ProtocolError("binary values are not part of the protocol"); }
  bool start_object(size_t) override { return open(Json::object()); }
  bool end_object() override { return close(); }
  bool start_array(size_t) override { return open(Json::array()); }
  bool end_array() override { return close(); }
  bool key(string_t& bytes) override {
    const std::string name = as_text(std::move(bytes));
    if (stack_.back()->contains(name)) throw ProtocolError("key \"" + name + "\" is given twice");
    key_ = name;
    return true;
  }
  bool parse_error(size_t position, const std::string&, const Json::exception& e) override {
    throw ProtocolError("malformed input at byte " + std::to_string(position) + ": " + e.what());
  }

 private:
  Json* insert(Json value) {
    if (stack_.empty()) return &(root_ = std::move(value));
    Json& parent = *stack_.back();
    if (parent.is_object()) return &(parent[key_] = std::move(value));
    parent.push_back(std::move(value));
    return &parent.back();
  }
  bool place(Json value) { return insert(std::move(value)), true; }
  bool open(Json value) {
    if (stack_.size() == kDepthMax) throw ProtocolError("nested deeper than 32 levels");
    stack_.push_back(insert(std::move(value)));
    return true;
  }
  bool close() { return stack_.pop_back(), true; }

  Json root_;
  std::vector<Json*> stack_;  // parents stay in place: a child is inserted before anything follows its parent
  std::string key_;
};

Json parse(std::string_view bytes, nlohmann::detail::input_format_t format) {
  BoundedSax sax;
  Json::sax_parse(bytes.begin(), bytes.end(), &sax, format);
  return sax.take();
}

}  // namespace

Json parse_json(std::string_view text) {
  return parse(text, Json::input_format_t::json);
}
Json parse_msgpack(std::string_view bytes) {
  return parse(bytes, Json::input_format_t::msgpack);
}

}  // namespace ranktide

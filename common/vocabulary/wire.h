#pragma once
// One field list per struct, four uses: MessagePack (wire), JSON (journal, HTTP, fixtures), printing,
// comparing. A struct takes part by `template <class Ar> void fields(Ar& ar, T& t) { ar("name", t.member)...;
// }`, an enum by EnumTexts<E>. Writing goes straight to bytes; reading goes through a SAX pass that bounds
// depth and refuses duplicate keys, because foreign input must not overflow the stack or mean two things. Names
// absent in the input keep their defaults (older peers); unknown names are ignored (newer peers). Throws:
// ProtocolError for anything that is not what was asked for.

#include <bit>
#include <cmath>
#include <concepts>
#include <cstdint>
#include <cstring>
#include <limits>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <stdexcept>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "common/vocabulary/ids.h"
#include "common/vocabulary/trial.h"

// Compiled once, in wire.cpp; else every file that touches JSON compiles all of it again.
extern template class nlohmann::basic_json<>;

namespace ranktide {

using Json = nlohmann::json;

struct ProtocolError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

// Returns: the permanent text of an enum value.
template <class E>
std::string_view text_of(E value) {
  return EnumTexts<E>::texts.at(static_cast<size_t>(value));
}

// Returns: the value with this text, nullopt when there is none.
template <class E>
std::optional<E> enum_of(std::string_view text) {
  for (size_t i = 0; i < EnumTexts<E>::texts.size(); ++i)
    if (EnumTexts<E>::texts[i] == text) return static_cast<E>(i);
  return std::nullopt;
}

namespace wire {

struct AnyArchive {
  template <class T>
  AnyArchive& operator()(const char*, T&) {
    return *this;
  }
};
template <class T>
concept HasFields = requires(AnyArchive ar, T t) {
  fields(ar, t);
};
template <class T>
struct IsId : std::false_type {};
template <class Tag>
struct IsId<Id<Tag>> : std::true_type {};
template <class T>
struct IsOptional : std::false_type {};
template <class T>
struct IsOptional<std::optional<T>> : std::true_type {};
template <class T>
struct IsVector : std::false_type {};
template <class T>
struct IsVector<std::vector<T>> : std::true_type {};
template <class T>
struct IsMap : std::false_type {};
template <class K, class V>
struct IsMap<std::map<K, V>> : std::true_type {};

}  // namespace wire

// ---- to JSON
// -------------------------------------------------------------------------------------------------

template <class T>
Json to_json(const T& value);

namespace wire {

struct JsonFields {
  Json& out;
  template <class T>
  JsonFields& operator()(const char* name, T& value) {
    out[name] = to_json(value);
    return *this;
  }
};

// JSON has no NaN and no infinity, results do: they travel as these texts.
inline Json number_to_json(double value) {
  if (std::isnan(value)) return "nan";
  if (std::isinf(value)) return value > 0 ? "inf" : "-inf";
  return value;
}

}  // namespace wire

template <class T>
Json to_json(const T& value) {
  if constexpr (std::is_same_v<T, Json>) {
    return value;
  } else if constexpr (std::is_same_v<T, double>) {
    return wire::number_to_json(value);
  } else if constexpr (std::is_arithmetic_v<T> || std::is_same_v<T, std::string>) {
    return value;
  } else if constexpr (std::is_enum_v<T>) {
    return std::string(text_of(value));
  } else if constexpr (wire::IsId<T>::value) {
    return value.text;
  } else if constexpr (wire::IsOptional<T>::value) {
    return value ? to_json(*value) : Json(nullptr);
  } else if constexpr (wire::IsVector<T>::value) {
    Json out = Json::array();
    for (const auto& item : value) out.push_back(to_json(item));
    return out;
  } else if constexpr (wire::IsMap<T>::value) {
    Json out = Json::object();
    for (const auto& [k, v] : value) {
      if constexpr (std::is_same_v<std::decay_t<decltype(k)>, std::string>)
        out[k] = to_json(v);
      else
        out[k.text] = to_json(v);
    }
    return out;
  } else {
    Json out = Json::object();
    wire::JsonFields ar{out};
    fields(ar, const_cast<T&>(value));  // one list for reading and writing; writing does not touch the value
    return out;
  }
}

// ---- from JSON
// -----------------------------------------------------------------------------------------------

template <class T>
void read_json(const Json& in, T& value, const std::string& where = "");

namespace wire {

[[noreturn]] inline void mismatch(const std::string& where, std::string_view expected, const Json& got) {
  throw ProtocolError((where.empty() ? "value" : where) + ": expected " + std::string(expected) + ", got " +
                      std::string(got.type_name()));
}

struct FieldReader {
  static constexpr bool kReads = true;  // later_field
  const Json& in;
  const std::string& where;
  template <class T>
  FieldReader& operator()(const char* name, T& value) {
    const auto it = in.find(name);
    if (it != in.end()) read_json(*it, value, where.empty() ? name : where + "." + name);
    return *this;
  }
};

inline double number_from_json(const Json& in, const std::string& where) {
  if (in.is_number()) return in.get<double>();
  if (in == "nan") return std::numeric_limits<double>::quiet_NaN();
  if (in == "inf") return std::numeric_limits<double>::infinity();
  if (in == "-inf") return -std::numeric_limits<double>::infinity();
  mismatch(where, "a number", in);
}

template <class T>
T integer_from_json(const Json& in, const std::string& where) {
  if (in.is_number_unsigned()) {
    const auto v = in.get<uint64_t>();
    if (std::in_range<T>(v)) return static_cast<T>(v);
  } else if (in.is_number_integer()) {
    const auto v = in.get<int64_t>();
    if (std::in_range<T>(v)) return static_cast<T>(v);
  } else {
    mismatch(where, "an integer", in);
  }
  throw ProtocolError(where + ": integer out of range");
}

}  // namespace wire

template <class T>
void read_json(const Json& in, T& value, const std::string& where) {
  if constexpr (std::is_same_v<T, Json>) {
    value = in;
  } else if constexpr (std::is_same_v<T, bool>) {
    if (!in.is_boolean()) wire::mismatch(where, "true or false", in);
    value = in.get<bool>();
  } else if constexpr (std::is_floating_point_v<T>) {
    value = static_cast<T>(wire::number_from_json(in, where));
  } else if constexpr (std::is_integral_v<T>) {
    value = wire::integer_from_json<T>(in, where);
  } else if constexpr (std::is_same_v<T, std::string>) {
    if (!in.is_string()) wire::mismatch(where, "a string", in);
    value = in.get<std::string>();
  } else if constexpr (std::is_enum_v<T>) {
    if (!in.is_string()) wire::mismatch(where, "a string", in);
    const auto found = enum_of<T>(in.get<std::string>());
    if (!found) throw ProtocolError(where + ": unknown value \"" + in.get<std::string>() + "\"");
    value = *found;
  } else if constexpr (wire::IsId<T>::value) {
    if (!in.is_string()) wire::mismatch(where, "an id", in);
    value.text = in.get<std::string>();
  } else if constexpr (wire::IsOptional<T>::value) {
    value.reset();
    if (!in.is_null()) read_json(in, value.emplace(), where);
  } else if constexpr (wire::IsVector<T>::value) {
    if (!in.is_array()) wire::mismatch(where, "a list", in);
    value.clear();
    for (const auto& item : in)
      read_json(item, value.emplace_back(), where + "[" + std::to_string(value.size()) + "]");
  } else if constexpr (wire::IsMap<T>::value) {
    if (!in.is_object()) wire::mismatch(where, "a map", in);
    value.clear();
    for (const auto& [k, v] : in.items()) read_json(v, value[typename T::key_type{k}], where + "." + k);
  } else {
    if (!in.is_object()) wire::mismatch(where, "a map", in);
    wire::FieldReader ar{in, where};
    fields(ar, value);
  }
}

template <class T>
T from_json(const Json& in) {
  T value{};
  read_json(in, value);
  return value;
}

// Returns: parsed input. Throws: ProtocolError on malformed input, nesting over 32, or a key given twice.
// Every text of the result is UTF-8: MessagePack's are mended with U+FFFD, JSON's refused.
Json parse_json(std::string_view text);
Json parse_msgpack(std::string_view bytes);

// ---- to MessagePack
// ------------------------------------------------------------------------------------------

namespace wire {

class Packer {
 public:
  void nil() { put(0xc0); }
  void boolean(bool b) { put(b ? 0xc3 : 0xc2); }
  void number(double d) { tagged(0xcb, std::bit_cast<uint64_t>(d), 8); }
  void integer(int64_t i) {
    if (i >= 0) return unsigned_integer(static_cast<uint64_t>(i));
    if (i >= -32) return put(static_cast<uint8_t>(i));
    tagged(0xd3, static_cast<uint64_t>(i), 8);
  }
  void unsigned_integer(uint64_t i) {
    if (i < 128) return put(static_cast<uint8_t>(i));
    if (i <= 0xffffffff) return tagged(0xce, i, 4);
    tagged(0xcf, i, 8);
  }
  void text(std::string_view s) {
    if (s.size() < 32)
      put(static_cast<uint8_t>(0xa0 | s.size()));
    else
      tagged(0xdb, s.size(), 4);
    out_.append(s);
  }
  void array(size_t n) {
    if (n < 16)
      put(static_cast<uint8_t>(0x90 | n));
    else
      tagged(0xdd, n, 4);
  }
  void map(size_t n) {
    if (n < 16)
      put(static_cast<uint8_t>(0x80 | n));
    else
      tagged(0xdf, n, 4);
  }
  std::string take() { return std::move(out_); }

 private:
  void put(uint8_t b) { out_.push_back(static_cast<char>(b)); }
  void tagged(uint8_t tag, uint64_t value, int bytes) {
    put(tag);
    for (int shift = 8 * (bytes - 1); shift >= 0; shift -= 8) put(static_cast<uint8_t>(value >> shift));
  }
  std::string out_;
};

struct FieldCounter {
  size_t n = 0;
  template <class T>
  FieldCounter& operator()(const char*, T&) {
    return ++n, *this;
  }
};

template <class T>
void pack_value(Packer& out, const T& value);

struct FieldPacker {
  Packer& out;
  template <class T>
  FieldPacker& operator()(const char* name, T& value) {
    out.text(name);
    pack_value(out, value);
    return *this;
  }
};

template <class T>
void pack_value(Packer& out, const T& value) {
  if constexpr (std::is_same_v<T, bool>)
    out.boolean(value);
  else if constexpr (std::is_floating_point_v<T>)
    out.number(static_cast<double>(value));
  else if constexpr (std::is_unsigned_v<T>)
    out.unsigned_integer(value);
  else if constexpr (std::is_integral_v<T>)
    out.integer(value);
  else if constexpr (std::is_same_v<T, std::string>)
    out.text(value);
  else if constexpr (std::is_enum_v<T>)
    out.text(text_of(value));
  else if constexpr (IsId<T>::value)
    out.text(value.text);
  else if constexpr (IsOptional<T>::value) {
    if (value)
      pack_value(out, *value);
    else
      out.nil();
  } else if constexpr (IsVector<T>::value) {
    out.array(value.size());
    for (const auto& item : value) pack_value(out, item);
  } else if constexpr (IsMap<T>::value) {
    out.map(value.size());
    for (const auto& [k, v] : value) {
      pack_value(out, k);
      pack_value(out, v);
    }
  } else {
    auto& mutable_value = const_cast<T&>(value);  // one list for reading and writing; writing does not touch it
    FieldCounter count;
    fields(count, mutable_value);
    out.map(count.n);
    FieldPacker ar{out};
    fields(ar, mutable_value);
  }
}

}  // namespace wire

template <class T>
std::string pack(const T& value) {
  wire::Packer out;
  wire::pack_value(out, value);
  return out.take();
}

template <class T>
T unpack(std::string_view bytes) {
  return from_json<T>(parse_msgpack(bytes));
}

// Returns: whether two values print equal; for tests and for "same request, same body".
template <wire::HasFields T>
bool equal(const T& a, const T& b) {
  return to_json(a) == to_json(b);
}

}  // namespace ranktide

// Saved state, declared once: a class lists its members in one template and that list both writes
// and reads them.
//
//   template <class V> void state(V& v) { v(counts_); v(queue_); v(step_); }
//   std::string blob = save_state("aero", 1, *this);     load_state("aero", 1, blob, *this);
//
// Format: name, version, then the members in order; integers and floats little-endian as they are
// in memory, containers with a 64-bit length first. load_state throws Error(Model) on another name
// or version, on a truncated blob and on bytes left over. Format and limits: docs/formats.md.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "allot/core/error.h"

namespace allot {

class StateWriter;
class StateReader;

template <class T, class V>
concept HasState = requires(T& value, V& visitor) {
  value.state(visitor);
};

template <class T>
concept PlainState = std::is_arithmetic_v<T> || std::is_enum_v<T>;

// Elements that a vector writes and reads at once; the bytes are the same as one by one.
template <class T>
concept InOneBlock = PlainState<T> && !std::is_same_v<T, bool>;

class StateWriter {
 public:
  static constexpr bool kReading = false;

  template <class T>
  void operator()(const T& value) {
    if constexpr (PlainState<T>) {
      out_.append(reinterpret_cast<const char*>(&value), sizeof value);
    } else {
      const_cast<T&>(value).state(*this);  // one list for both directions; writing changes nothing
    }
  }
  void operator()(const std::string& text) {
    (*this)(static_cast<std::uint64_t>(text.size()));
    out_ += text;
  }
  template <class T>
  void operator()(const std::vector<T>& values) {
    (*this)(static_cast<std::uint64_t>(values.size()));
    if constexpr (InOneBlock<T>) {
      out_.append(reinterpret_cast<const char*>(values.data()), values.size() * sizeof(T));
    } else {
      for (const auto& value : values) (*this)(static_cast<const T&>(value));
    }
  }
  template <class T>
  void operator()(const std::optional<T>& value) {
    (*this)(value.has_value());
    if (value) (*this)(*value);
  }
  template <class K, class T>
  void operator()(const std::map<K, T>& values) {
    (*this)(static_cast<std::uint64_t>(values.size()));
    for (const auto& [key, value] : values) {
      (*this)(key);
      (*this)(value);
    }
  }
  std::string take() { return std::move(out_); }

 private:
  std::string out_;
};

class StateReader {
 public:
  static constexpr bool kReading = true;
  StateReader(std::string_view blob, std::string_view where) : rest_(blob), where_(where) {}

  template <class T>
  void operator()(T& value) {
    if constexpr (std::is_same_v<T, bool>) {
      const char byte = take(1).front();
      if (byte != 0 && byte != 1) fail("a yes or no is neither");
      value = byte == 1;
    } else if constexpr (PlainState<T>) {
      std::memcpy(&value, take(sizeof value).data(), sizeof value);
    } else {
      value.state(*this);
    }
  }
  void operator()(std::string& text) { text = std::string(take(length())); }
  template <class T>
  void operator()(std::vector<T>& values) {
    const std::uint64_t n = length();
    values.clear();
    if constexpr (InOneBlock<T>) {
      const std::string_view bytes = take(n * sizeof(T));  // n is at most what the blob holds
      values.resize(n);
      if (n > 0) std::memcpy(values.data(), bytes.data(), bytes.size());
      return;
    }
    for (std::uint64_t i = 0; i < n; ++i) {
      T value{};
      (*this)(value);
      values.push_back(std::move(value));
    }
  }
  template <class T>
  void operator()(std::optional<T>& value) {
    bool has = false;
    (*this)(has);
    value.reset();
    if (has) (*this)(value.emplace());
  }
  template <class K, class T>
  void operator()(std::map<K, T>& values) {
    const std::uint64_t n = length();
    values.clear();
    for (std::uint64_t i = 0; i < n; ++i) {
      K key{};
      (*this)(key);
      (*this)(values[key]);
    }
  }
  bool at_end() const { return rest_.empty(); }
  [[noreturn]] void fail(std::string_view what) const;

 private:
  std::string_view take(std::uint64_t bytes);
  std::uint64_t length();  // refuses one that the rest of the blob cannot hold

  std::string_view rest_;
  std::string where_;
};

// The header check of load_state.
void check_state_header(StateReader& in, std::string_view name, std::uint32_t version);

template <class T>
std::string save_state(std::string_view name, std::uint32_t version, const T& object) {
  StateWriter out;
  out(std::string(name));
  out(version);
  const_cast<T&>(object).state(out);
  return out.take();
}

template <class T>
void load_state(std::string_view name, std::uint32_t version, std::string_view blob, T& object) {
  StateReader in(blob, name);
  check_state_header(in, name, version);
  object.state(in);
  if (!in.at_end()) in.fail("bytes are left over after the last member");
}

}  // namespace allot

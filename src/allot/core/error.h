// The one exception type of allot, and how its messages read.
//
//   [where] what was given; what is needed. Hint: what to try.
//
// Bad input and programming errors throw Error. Expected outcomes (no answer found, an exhausted
// pool) are values and never throw. Below cli/ nothing catches an Error only to print it.
#pragma once

#include <concepts>
#include <initializer_list>
#include <stdexcept>
#include <string>
#include <string_view>

namespace allot {

// Who has to act. The program's exit code is the enumerator's value.
enum class ErrorKind {
  Config = 2,     // an option, a configuration file, a command line
  Data = 3,       // a data set or an input file
  Model = 4,      // a model, a checkpoint, a run folder that cannot be written
  Sampler = 5,    // an external sampler
  Internal = 70,  // a broken promise inside allot, or between a method and its driver
};

class Error : public std::runtime_error {
 public:
  Error(ErrorKind kind, std::string_view where, std::string_view what, std::string_view hint = {});
  ErrorKind kind() const { return kind_; }
  int exit_code() const { return static_cast<int>(kind_); }

 private:
  ErrorKind kind_;
};

// What concat() takes: text, a character or a number.
class MessagePart {
 public:
  explicit MessagePart(std::string_view text) : text_(text) {}
  explicit MessagePart(const std::string& text) : text_(text) {}
  explicit MessagePart(const char* text) : text_(text) {}
  explicit MessagePart(char character) : buffer_{character}, text_(buffer_, 1) {}
  explicit MessagePart(double number);  // six significant digits
  template <std::integral T>
  explicit MessagePart(T number) {
    if constexpr (std::signed_integral<T>)
      write(static_cast<long long>(number));
    else
      write(static_cast<unsigned long long>(number));
  }
  MessagePart(const MessagePart&) = delete;
  std::string_view text() const { return text_; }

 private:
  void write(long long number);
  void write(unsigned long long number);

  char buffer_[24];
  std::string_view text_;
};

std::string joined_parts(std::initializer_list<MessagePart> parts);

// "a", 3, 0.5 -> "a30.5". For messages only; numbers that are stored go through JSON.
template <class... Parts>
std::string concat(const Parts&... parts) {
  return joined_parts({MessagePart(parts)...});
}

// The candidate most like `given` by edit distance, or "" if none is near. For "did you mean".
template <class Names>
std::string nearest(std::string_view given, const Names& names);

// Letters inserted, removed, replaced, or swapped with their neighbour.
std::size_t edit_distance(std::string_view a, std::string_view b);

template <class Names>
std::string nearest(std::string_view given, const Names& names) {
  std::string best;
  std::size_t best_distance = given.size() / 2 + 2;
  for (const auto& name : names) {
    const std::size_t distance = edit_distance(given, name);
    if (distance < best_distance) {
      best_distance = distance;
      best = name;
    }
  }
  return best;
}

}  // namespace allot

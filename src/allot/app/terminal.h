// Where a person reads along: lines that stay, and one bar that is redrawn. The program implements
// it on standard error; nothing below cli/ prints.
#pragma once

#include <string>

namespace allot {

class Terminal {
 public:
  virtual ~Terminal() = default;
  virtual bool is_interactive() const = 0;            // false: no bars, one plain line per step
  virtual void line(const std::string& text) = 0;     // replaces the bar, if one is shown
  virtual void warning(const std::string& text) = 0;  // shown even when all else is silenced
  virtual void bar(const std::string& text) = 0;      // replaces the bar; "" removes it
};

}  // namespace allot

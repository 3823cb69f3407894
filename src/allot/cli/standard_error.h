// The terminal of a run: standard error. Results go to standard output, not through here.
#pragma once

#include <string>

#include "allot/app/terminal.h"

namespace allot {

class StandardError : public Terminal {
 public:
  // `quiet` leaves only warnings.
  explicit StandardError(bool quiet);
  ~StandardError() override;

  bool is_interactive() const override { return interactive_; }
  void line(const std::string& text) override;
  void warning(const std::string& text) override;
  void bar(const std::string& text) override;

 private:
  void print(const std::string& text);

  bool quiet_, interactive_, bar_shown_ = false;
};

}  // namespace allot

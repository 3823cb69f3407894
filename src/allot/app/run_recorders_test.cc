#include "allot/app/run_recorders.h"

#include <algorithm>

#include <gtest/gtest.h>

#include "allot/core/error.h"

namespace allot {
namespace {

class Remembering : public Recorder {
 public:
  void step(const StepRecord&) override {}
  void event(const Event& event) override { texts.push_back(event.text); }
  std::vector<std::string> texts;
};

TEST(RunRecorders, TheFirstTenVerifierErrorsAreTold) {
  Remembering folder, console;
  RunRecorders recorders(folder, console, {});
  for (int i = 0; i < 25; ++i) {
    recorders.event({Severity::Warning, "verifier_error", concat("failure ", i), 0});
    recorders.event({Severity::Info, "other", "x", 0});
  }
  for (const Remembering* heard : {&folder, &console}) {
    EXPECT_EQ(std::count(heard->texts.begin(), heard->texts.end(), "x"), 25);
    EXPECT_EQ(heard->texts.size(), 35u);
    EXPECT_EQ(heard->texts[18], "failure 9");
    EXPECT_EQ(std::count(heard->texts.begin(), heard->texts.end(), "failure 10"), 0);
  }
}

}  // namespace
}  // namespace allot

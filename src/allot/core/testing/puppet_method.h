// A method that does what the test says; by default it asks for nothing and reports nothing.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "allot/core/method.h"

namespace allot::testing {

// Everything the method was told and will say; shared with the test, which outlives the method.
struct Puppet {
  Needs needs;
  std::function<Decision(const BatchView&)> plan = [](const BatchView&) { return Decision{}; };
  std::function<Decision(const Events&)> observe = [](const Events&) { return Decision{}; };
  std::function<TrainBatch()> finalize = [] { return TrainBatch{}; };
  std::vector<Feedback> feedback;
};

class PuppetMethod : public Method {
 public:
  explicit PuppetMethod(Puppet& puppet) : p_(puppet) {}
  Needs needs() const override { return p_.needs; }
  Decision plan(const BatchView& view) override { return p_.plan(view); }
  Decision observe(const Events& events) override { return p_.observe(events); }
  TrainBatch finalize() override { return p_.finalize(); }
  void feedback(const Feedback& feedback) override { p_.feedback.push_back(feedback); }

 private:
  Puppet& p_;
};

}  // namespace allot::testing

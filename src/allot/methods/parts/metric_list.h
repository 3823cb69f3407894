// A method's metrics of its last finished step, saved with it.
#pragma once

#include <cmath>
#include <limits>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "allot/core/types.h"

namespace allot {

class MetricList {
 public:
  // Names stay, so that a step like the one before allocates next to nothing.
  void clear() {
    for (auto& [name, value] : values_) value = kAbsent;
  }
  template <class Number>
  void set(std::string name, Number value) {
    values_.insert_or_assign(std::move(name), static_cast<double>(value));
  }
  // Absent if nothing was counted: a metric that does not apply is not 0.
  template <class Part, class Whole>
  void set_share(std::string name, Part part, Whole whole) {
    if (whole > 0) set(std::move(name), static_cast<double>(part) / static_cast<double>(whole));
  }
  std::vector<Metric> all() const {
    std::vector<Metric> metrics;
    for (const auto& [name, value] : values_)
      if (!std::isnan(value)) metrics.push_back({name, value});
    return metrics;
  }
  template <class V>
  void state(V& v) {
    v(values_);
  }

 private:
  static constexpr double kAbsent = std::numeric_limits<double>::quiet_NaN();

  std::map<std::string, double> values_;
};

}  // namespace allot

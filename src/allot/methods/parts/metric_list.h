// A method's metrics of its last finished step, saved with it.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "allot/core/types.h"

namespace allot {

class MetricList {
 public:
  void clear() { values_.clear(); }
  template <class Number>
  void set(const std::string& name, Number value) {
    values_[name] = static_cast<double>(value);
  }
  // Absent if nothing was counted: a metric that does not apply is not 0.
  template <class Part, class Whole>
  void set_share(const std::string& name, Part part, Whole whole) {
    if (whole > 0) values_[name] = static_cast<double>(part) / static_cast<double>(whole);
  }
  std::vector<Metric> all() const {
    std::vector<Metric> metrics;
    for (const auto& [name, value] : values_) metrics.push_back({name, value});
    return metrics;
  }
  template <class V>
  void state(V& v) {
    v(values_);
  }

 private:
  std::map<std::string, double> values_;
};

}  // namespace allot

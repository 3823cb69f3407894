// The model of Adam that the mask of CAPO may look through (arXiv 2510.00819): first and second
// moments of the gradient of each row of the last layer, kept for the tokens that have been among
// the likeliest. Source: objectives, section 7.
//
// A token's gradient of row k is A v_k h (curvature.h), so that no row is ever stored for a token.
// beta 0.9 and 0.999, epsilon 1e-8.
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <vector>

#include "allot/objective/loss_row.h"

namespace allot::objective {

// Mean gradient of the rows: of each, over the tokens that have it among their likeliest.
class HeadGradient {
 public:
  struct Row {
    std::vector<double> sum;  // [H]
    double tokens = 0;
  };
  // Adds scale * hidden to the row of `id`.
  void add(std::int64_t id, double scale, std::span<const double> hidden);
  const std::map<std::int64_t, Row>& rows() const { return rows_; }

 private:
  std::map<std::int64_t, Row> rows_;
};

class CurvatureMoments {
 public:
  // <G, h>, where G is the direction of the row `id` if the gradient of the next step were
  // scale * hidden: m' / (sqrt(v') + epsilon), with bias correction.
  double along(std::int64_t id, double scale, std::span<const double> hidden) const;

  // One step of the optimizer. Rows without gradient keep their moments.
  void advance(const HeadGradient& mean);

  std::uint64_t steps() const { return steps_; }

  template <class V>
  void state(V& v) {
    v(steps_), v(rows_);
  }

 private:
  struct Row {
    std::vector<float> m, v;  // [H]

    template <class V>
    void state(V& visitor) {
      visitor(m), visitor(v);
    }
  };
  std::map<std::int64_t, Row> rows_;
  std::uint64_t steps_ = 0;
};

}  // namespace allot::objective

// Pass rates predicted from embeddings of prompts: what a method can know of a prompt that it has
// never seen. Ridge regression of observed rates on the embedding, over sums that fade, so that it
// follows the policy. (ours)
//
//   y = right / n of a prompt's first rollouts,  x = (1, embedding)
//   w = argmin sum over observations of kept^age ((y - w x)^2) + ridge |w without the intercept|^2
//   mu = w x within [.02, .98];  prior Beta(mu s, (1 - mu) s)
//
// The strength s says how far pass rates lie from their predictions. For a rate P of mean mu and
// variance mu (1 - mu) rho, rho = 1 / (s + 1), E (y - mu)^2 = mu (1 - mu) (1/n + (1 - 1/n) rho);
// rho is the moment estimate over predictions made before their outcome was known.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "allot/methods/parts/belief.h"

namespace allot {

class RateRegression {
 public:
  static constexpr std::size_t kFewest = 256;  // observations before the first prediction
  static constexpr std::size_t kMost = 1024;   // numbers of an embedding

  // One prompt's first rollouts. Throws Error(Data) for an embedding of another size than before,
  // without numbers, or with one that is not finite.
  void add(std::span<const float> embedding, double right, double n);
  // Ends a step: takes in what was added, lets it fade, and makes new weights.
  void fit(double kept, double ridge);

  // nullopt before there is enough to go by. Stays the same between two fit().
  std::optional<BetaBelief> prior(std::span<const float> embedding) const;
  double strength() const { return strength_; }

  template <class V>
  void state(V& v) {
    v(size_), v(count_), v(strength_), v(squares_), v(binomial_), v(between_);
    v(products_), v(sums_), v(weights_);
    if constexpr (V::kReading)
      if (!consistent()) v.fail("the regression's sums do not fit its size");
  }

 private:
  bool consistent() const;
  std::vector<double> features(std::span<const float> embedding) const;
  double mean(const std::vector<double>& x) const;

  std::uint64_t size_ = 0;  // of embeddings; 0 before the first
  double count_ = 0;        // observations in the sums, fading
  double strength_ = 2;
  double squares_ = 0, binomial_ = 0, between_ = 0;  // fading sums for rho
  std::vector<double> products_, sums_;              // [f][f] sum x x^T, [f] sum x y
  std::vector<double> weights_;                      // [f]; empty before the first fit
};

}  // namespace allot

#include "allot/methods/parts/rate_regression.h"

#include <algorithm>
#include <cmath>

#include <eigen3/Eigen/Cholesky>

#include "allot/core/error.h"

namespace allot {
namespace {

using MatrixView = Eigen::Map<Eigen::MatrixXd>;
using Vector = Eigen::Map<Eigen::VectorXd>;

constexpr double kLowest = .02, kWeakest = .5, kStrongest = 20;

}  // namespace

std::vector<double> RateRegression::features(std::span<const float> embedding) const {
  const std::size_t size = embedding.size();
  if (size == 0 || size > kMost || (size_ > 0 && size != size_))
    throw Error(ErrorKind::Data, "embedding",
                concat("a prompt has one of ", size, " numbers; ",
                       size_ > 0 ? concat(size_, " as before are needed")
                                 : concat("1 to ", kMost, " are needed")));
  for (const float value : embedding)
    if (!std::isfinite(value))
      throw Error(ErrorKind::Data, "embedding", "a number in it is not finite");
  std::vector<double> x = {1};
  x.insert(x.end(), embedding.begin(), embedding.end());
  return x;
}

bool RateRegression::consistent() const {
  const std::size_t f = sums_.size();
  return products_.size() == f * f && (weights_.empty() || weights_.size() == f) &&
         f == (size_ == 0 ? 0 : 1 + size_);
}

double RateRegression::mean(const std::vector<double>& x) const {
  double sum = 0;
  for (std::size_t i = 0; i < x.size(); ++i) sum += weights_[i] * x[i];
  return std::clamp(sum, kLowest, 1 - kLowest);
}

void RateRegression::add(std::span<const float> embedding, double right, double n) {
  const std::vector<double> x = features(embedding);
  if (n < 1) return;
  if (size_ == 0) {
    size_ = embedding.size();
    products_.assign(x.size() * x.size(), 0);
    sums_.assign(x.size(), 0);
  }
  const double y = right / n;
  if (!weights_.empty() && n >= 2) {
    const double mu = mean(x), spread = mu * (1 - mu);
    squares_ += (y - mu) * (y - mu);
    binomial_ += spread / n;
    between_ += spread * (1 - 1 / n);
  }
  const std::size_t f = x.size();
  for (std::size_t i = 0; i < f; ++i) {
    for (std::size_t j = 0; j < f; ++j) products_[i * f + j] += x[i] * x[j];
    sums_[i] += x[i] * y;
  }
  ++count_;
}

void RateRegression::fit(double kept, double ridge) {
  if (count_ >= kFewest) {
    const auto f = static_cast<Eigen::Index>(sums_.size());
    Eigen::MatrixXd a = MatrixView(products_.data(), f, f);
    for (Eigen::Index i = 1; i < f; ++i) a(i, i) += ridge;
    weights_.resize(sums_.size());
    Vector(weights_.data(), f) = a.llt().solve(Vector(sums_.data(), f));
  }
  if (between_ > 0) {
    const double rho =
        std::clamp((squares_ - binomial_) / between_, 1 / (kStrongest + 1), 1 / (kWeakest + 1));
    strength_ = 1 / rho - 1;
  }
  for (auto* sums : {&products_, &sums_})
    for (double& sum : *sums) sum *= kept;
  for (double* sum : {&count_, &squares_, &binomial_, &between_}) *sum *= kept;
}

std::optional<BetaBelief> RateRegression::prior(std::span<const float> embedding) const {
  if (weights_.empty()) return std::nullopt;
  const double mu = mean(features(embedding));
  return BetaBelief(mu * strength_, (1 - mu) * strength_);
}

}  // namespace allot

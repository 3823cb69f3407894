#include "allot/methods/parts/gaussian_process.h"

#include <algorithm>
#include <cmath>

#include <eigen3/Eigen/Cholesky>

#include "allot/core/error.h"

namespace allot {
namespace {

constexpr std::size_t kSubsample = 512;  // prompts that give the median distance

double logit(double p) { return std::log(p / (1 - p)); }
double sigmoid(double x) { return 1 / (1 + std::exp(-x)); }

double squared_distance(const std::vector<float>& a, const std::vector<float>& b) {
  const auto size = static_cast<Eigen::Index>(a.size());
  return (Eigen::Map<const Eigen::VectorXf>(a.data(), size) -
          Eigen::Map<const Eigen::VectorXf>(b.data(), size))
      .squaredNorm();
}

}  // namespace

const GaussianProcess::Known& GaussianProcess::known(PromptId prompt) const {
  const Known* found = known_.find(prompt);
  if (!found)
    throw Error(ErrorKind::Internal, "gaussian process",
                concat("prompt ", prompt, " was never shown; only known prompts can be asked for"));
  return *found;
}

double GaussianProcess::kernel(const Known& a, const Known& b) const {
  return std::exp(-squared_distance(a.embedding, b.embedding) / (2 * bandwidth_ * bandwidth_));
}

void GaussianProcess::check(const PromptRef& prompt, const std::string& owner) const {
  const auto refuse = [&](std::string_view what) {
    throw Error(ErrorKind::Data, owner, concat("the embedding of prompt ", prompt.id, " ", what),
                "every prompt needs one fixed vector of finite numbers, of the same size");
  };
  const std::span<const float> x = prompt.embedding;
  if (x.empty()) refuse("is missing");
  if (dimensions_ > 0 && x.size() != dimensions_)
    refuse(concat("has ", x.size(), " numbers; ", dimensions_, " as before are needed"));
  if (!std::all_of(x.begin(), x.end(), [](float value) { return std::isfinite(value); }))
    refuse("holds NaN or an infinite number");
  const Known* before = known_.find(prompt.id);
  if (before && !std::equal(x.begin(), x.end(), before->embedding.begin()))
    refuse("is another one than in an earlier step");
}

void GaussianProcess::show(std::span<const PromptRef> prompts, const std::string& owner) {
  for (const PromptRef& prompt : prompts) {
    check(prompt, owner);
    dimensions_ = prompt.embedding.size();
  }
  for (const PromptRef& prompt : prompts) {
    if (known_.contains(prompt.id)) continue;
    Known fresh{{prompt.embedding.begin(), prompt.embedding.end()}, logit(options_.prior_rate), 0};
    if (bandwidth_ > 0)
      for (const auto& [id, other] : known_)
        if (other.weight != 0) fresh.mean += kernel(fresh, other) * other.weight;
    known_[prompt.id] = std::move(fresh);
  }
  if (bandwidth_ == 0 && !known_.empty())
    bandwidth_ = options_.bandwidth > 0 ? options_.bandwidth : median_distance();
}

// Of the first prompts in id order; 1 where it would be 0.
double GaussianProcess::median_distance() const {
  std::vector<const Known*> some;
  for (const auto& [id, prompt] : known_)
    if (some.size() < kSubsample) some.push_back(&prompt);
  std::vector<double> squares;
  for (std::size_t i = 0; i < some.size(); ++i)
    for (std::size_t j = 0; j < i; ++j)
      squares.push_back(squared_distance(some[i]->embedding, some[j]->embedding));
  if (squares.empty()) return 1;
  const auto middle = squares.begin() + static_cast<std::ptrdiff_t>(squares.size() / 2);
  std::nth_element(squares.begin(), middle, squares.end());
  return *middle > 0 ? std::sqrt(*middle) : 1;
}

double GaussianProcess::rate(PromptId prompt) const { return sigmoid(known(prompt).mean); }

void GaussianProcess::observe(std::span<const Observation> observations) {
  if (observations.empty()) return;
  const auto count = static_cast<Eigen::Index>(observations.size());
  std::vector<const Known*> seen;
  for (const Observation& o : observations) seen.push_back(&known(o.prompt));
  Eigen::MatrixXd covariance(count, count);
  Eigen::VectorXd logits(count), means(count);
  for (Eigen::Index i = 0; i < count; ++i) {
    const auto at = static_cast<std::size_t>(i);
    for (Eigen::Index j = 0; j <= i; ++j)
      covariance(i, j) = covariance(j, i) = kernel(*seen[at], *seen[static_cast<std::size_t>(j)]);
    const double p = std::clamp(observations[at].rate, options_.clip, 1 - options_.clip);
    covariance(i, i) += options_.jitter;
    if (options_.observation_noise) covariance(i, i) += 1 / (observations[at].n * p * (1 - p));
    logits(i) = logit(p);
    means(i) = seen[at]->mean;
  }
  const Eigen::LDLT<Eigen::MatrixXd> solver(covariance);  // semi-definite if two prompts are equal
  const Eigen::VectorXd alpha = solver.solve(logits - means);
  for (auto& [id, prompt] : known_)
    for (std::size_t i = 0; i < seen.size(); ++i)
      prompt.mean += kernel(prompt, *seen[i]) * alpha(static_cast<Eigen::Index>(i));
  for (std::size_t i = 0; i < seen.size(); ++i) {
    Known& prompt = *known_.find(observations[i].prompt);
    prompt.weight += alpha(static_cast<Eigen::Index>(i));
    if (options_.overwrite) prompt.mean = logits(static_cast<Eigen::Index>(i));
  }
}

}  // namespace allot

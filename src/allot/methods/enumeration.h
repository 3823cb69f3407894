// Every course that one step of a method can take on one prompt, with its probability: exact
// expectations of what a method does and of the gradient it makes (contract, section 9).
//
// The policy has one logit: a rollout is right (reward 1) with probability p, else wrong (reward
// 0), and all have the same length. A course is the number of right ones in each request, so only
// methods whose decisions depend on counts alone are enumerated exactly.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "allot/methods/registry.h"

namespace allot {

struct Course {
  double ways = 1;                     // its probability is ways * p^right * (1-p)^wrong
  std::uint32_t right = 0, wrong = 0;  // generated
  std::uint32_t kept_right = 0, kept_wrong = 0;
  // Weight times advantage, summed over the trained right and wrong ones and divided by the
  // normaliser of the batch, which has one group.
  double push_right = 0, push_wrong = 0;

  std::uint32_t rollouts() const { return right + wrong; }
  double pass_rate() const { return static_cast<double>(right) / rollouts(); }
  double probability(double p) const;
  // The score of a right rollout is 1 - p and that of a wrong one -p, and grad p = p (1 - p). This
  // is the gradient that the course makes over grad p.
  double scale(double p) const;
};

// The courses of a prompt that the method meets for the first time. Other prompts compete for
// nothing: the budget of rollouts is large. Throws what the registry and the Controller throw.
std::vector<Course> courses_of(const AllocOptions& alloc, const AdvantageOptions& adv);

// sum over courses of probability(p) * value(course).
template <class Value>  // double(const Course&)
double expectation(std::span<const Course> courses, double p, Value value) {
  double sum = 0;
  for (const Course& course : courses) sum += course.probability(p) * value(course);
  return sum;
}

// Expected gradient over grad p: 1 means unbiased.
double gradient_scale(std::span<const Course> courses, double p);

}  // namespace allot

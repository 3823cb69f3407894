#include "allot/methods/enumeration.h"

#include <cmath>
#include <map>

#include "allot/core/controller.h"

namespace allot {
namespace {

constexpr PromptId kPrompt = 1;
constexpr std::uint64_t kManyRollouts = 1u << 20;

double choose(std::uint32_t n, std::uint32_t k) {
  return std::round(
      std::exp(std::lgamma(n + 1.0) - std::lgamma(k + 1.0) - std::lgamma(n - k + 1.0)));
}

// What a step shows when the requests come out as given: the course, or the size of the first
// request for which nothing is given.
struct Played {
  Course course;
  std::uint32_t asks_for = 0;
};

class OnePrompt {
 public:
  OnePrompt(const AllocOptions& alloc, const AdvantageOptions& adv) : alloc_(alloc), adv_(adv) {}

  // Depth first over the number of right rollouts of each request.
  void walk(std::vector<std::uint32_t>& right_of_request, std::vector<Course>& out) const {
    const Played played = play(right_of_request);
    if (played.asks_for == 0) {
      out.push_back(played.course);
      return;
    }
    for (std::uint32_t right = 0; right <= played.asks_for; ++right) {
      right_of_request.push_back(right);
      walk(right_of_request, out);
      right_of_request.pop_back();
    }
  }

 private:
  Played play(std::span<const std::uint32_t> right_of_request) const {
    Controller controller(make_method(alloc_, adv_),
                          {.method = alloc_.method, .host = {.hold = true, .answer_class = true}});
    const std::vector<PromptRef> shown = {{kPrompt}};
    const Budget budget{.groups = 1, .rollouts = kManyRollouts};
    Played played;
    std::map<RolloutId, bool> right_of_rollout;
    std::size_t request = 0;
    for (Plan plan = controller.plan(shown, budget, 0); !plan.done;) {
      std::vector<Outcome> outcomes;
      for (const Issued& issued : plan.generate) {
        if (request == right_of_request.size()) return {{}, issued.n};
        const std::uint32_t right = right_of_request[request++];
        played.course.ways *= choose(issued.n, right);
        for (std::uint32_t i = 0; i < issued.n; ++i) {
          outcomes.push_back(outcome(issued.first + i, i < right));
          right_of_rollout[issued.first + i] = i < right;
          ++(i < right ? played.course.right : played.course.wrong);
        }
      }
      plan = controller.observe(outcomes, {}, outcomes.empty() && plan.refill == 0);
    }
    add_push(played.course, controller.finalize(), right_of_rollout);
    return played;
  }

  static Outcome outcome(RolloutId id, bool right) {
    Outcome outcome;
    outcome.id = id;
    outcome.prompt = kPrompt;
    outcome.correct = right;
    outcome.reward = right ? 1 : 0;
    outcome.answer_class = right;
    outcome.tokens = 1;
    return outcome;
  }

  static void add_push(Course& course, const TrainBatch& batch,
                       const std::map<RolloutId, bool>& right_of_rollout) {
    const double z =
        batch.norm == Norm::Fixed ? batch.fixed : static_cast<double>(batch.items.size());
    for (const TrainItem& item : batch.items) {
      const bool right = right_of_rollout.at(item.rollout);
      ++(right ? course.kept_right : course.kept_wrong);
      (right ? course.push_right : course.push_wrong) +=
          static_cast<double>(item.weight) * static_cast<double>(item.advantage) / z;
    }
  }

  const AllocOptions& alloc_;
  const AdvantageOptions& adv_;
};

}  // namespace

double Course::probability(double p) const {
  return ways * std::pow(p, right) * std::pow(1 - p, wrong);
}

double Course::scale(double p) const {
  return (push_right * (1 - p) - push_wrong * p) / (p * (1 - p));
}

std::vector<Course> courses_of(const AllocOptions& alloc, const AdvantageOptions& adv) {
  std::vector<std::uint32_t> right_of_request;
  std::vector<Course> courses;
  OnePrompt(alloc, adv).walk(right_of_request, courses);
  return courses;
}

double gradient_scale(std::span<const Course> courses, double p) {
  return expectation(courses, p, [p](const Course& course) { return course.scale(p); });
}

}  // namespace allot

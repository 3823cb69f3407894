// GRPO: the same number of rollouts for every prompt, advantages relative to the group.
//
// Source: DeepSeekMath, arXiv 2402.03300; also the estimator that the other methods reuse.
#include "allot/core/state.h"
#include "allot/methods/parts/batch_builder.h"
#include "allot/methods/parts/requests.h"
#include "allot/methods/registry.h"

namespace allot {
namespace {

struct GrpoOptions {
  bool ship_zero = false;

  template <class V>
  void fields(V& v) {
    v("ship_zero", ship_zero,
      "train on groups without signal too, with advantage 0: they dilute the mean over groups as "
      "in the plain loss");
  }
  void validate(const AllocOptions& shared) const { require_group_of_two(shared); }
};

class Grpo final : public Method {
 public:
  Grpo(const AllocOptions& alloc, const AdvantageOptions& adv)
      : n_(static_cast<std::uint32_t>(alloc.group_size)),
        zero_(alloc.section("grpo").as<GrpoOptions>().ship_zero ? ZeroSignal::Ship
                                                                : ZeroSignal::Leave),
        rule_(advantage_rule(adv, GroupKind::Plain)) {}

  Needs needs() const override { return {}; }

  Decision plan(const BatchView& view) override {
    pool_.clear();
    return ask_each(view, n_, pool_);
  }

  Decision observe(const Events& events) override { return await_all(events, pool_); }

  TrainBatch finalize() override {
    return batch_of(pool_.groups(), rule_, zero_);  // Norm::PerGroup: uneven groups
  }

  std::string save() const override { return save_state("grpo", 1, *this); }
  void load(std::string_view blob, std::uint64_t) override { load_state("grpo", 1, blob, *this); }

  template <class V>
  void state(V& v) {
    v(pool_);
  }

 private:
  std::uint32_t n_;
  ZeroSignal zero_;
  AdvantageRule rule_;
  GroupPool pool_;
};

}  // namespace

MethodInfo grpo_method() {
  return {"grpo", "the same number of rollouts for every prompt, advantages relative to the group",
          "DeepSeekMath, arXiv 2402.03300", MethodSection(GrpoOptions{}), construct<Grpo>};
}

}  // namespace allot

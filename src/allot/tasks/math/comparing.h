// Small pieces that the files of Comparison share.
#pragma once

#include "allot/tasks/math/compare.h"

namespace allot::verify {

inline Decision equal(Tier tier, std::uint32_t flags = 0) {
  return {Decision::Value::Equal, tier, flags};
}
inline Decision different(Tier tier) { return {Decision::Value::Different, tier, 0}; }
inline Decision unknown(Tier tier) { return {Decision::Value::Unknown, tier, 0}; }

// The decision, with a flag if it is "equal".
inline Decision flagged(Decision decision, std::uint32_t flag) {
  if (decision.equal()) decision.flags |= flag;
  return decision;
}

// Two parts of a whole: equal if both are, different if one is. The higher tier counts.
inline Decision both(const Decision& a, const Decision& b) {
  if (a.value == Decision::Value::Different) return a;
  if (b.value == Decision::Value::Different) return b;
  Decision all{a.equal() && b.equal() ? Decision::Value::Equal : Decision::Value::Unknown,
               a.tier < b.tier ? b.tier : a.tier, a.flags | b.flags};
  return all;
}

// How names are read in `side`, given the gold: i and I, and the constant of integration.
Reading reading_of(const Answer& gold, const Answer& side);

// Tier T5.
Decision texts(const Answer& gold, const Answer& given);

}  // namespace allot::verify

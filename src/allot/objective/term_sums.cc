#include "allot/objective/term_sums.h"

#include <cmath>

#include "allot/core/error.h"

namespace allot::objective {

void MaskCount::count(double advantage, double mask, double kept) {
  if (mask == 0 || advantage == 0) return;
  (advantage > 0 ? seen_positive : seen_other) += 1;
  (advantage > 0 ? kept_positive : kept_other) += kept;
}

void EdgeSums::add_token(double log_rho) {
  const double r = std::exp(log_rho);
  tokens += 1;
  rho += r;
  rho_square += r * r;
  k1 -= log_rho;
  k3 += std::expm1(log_rho) - log_rho;
}

void TermSums::add(const TermSums& part) {
  if (masks.empty()) masks.resize(part.masks.size());
  if (masks.size() != part.masks.size() && !part.masks.empty())
    throw Error(ErrorKind::Internal, "objective", "parts of a step have the same masks");
  for (std::size_t i = 0; i < part.masks.size(); ++i) {
    masks[i].name = part.masks[i].name;
    masks[i].seen_positive += part.masks[i].seen_positive;
    masks[i].kept_positive += part.masks[i].kept_positive;
    masks[i].seen_other += part.masks[i].seen_other;
    masks[i].kept_other += part.masks[i].kept_other;
  }
  edge.tokens += part.edge.tokens;
  edge.rho += part.edge.rho;
  edge.rho_square += part.edge.rho_square;
  edge.k1 += part.edge.k1;
  edge.k3 += part.edge.k3;
}

std::vector<Metric> TermSums::metrics() const {
  const auto share = [](double kept, double seen) { return seen > 0 ? kept / seen : 1; };
  std::vector<Metric> out;
  for (const MaskCount& mask : masks) {
    out.push_back(
        {"mask/" + mask.name + "_keep_pos", share(mask.kept_positive, mask.seen_positive)});
    out.push_back({"mask/" + mask.name + "_keep_neg", share(mask.kept_other, mask.seen_other)});
  }
  if (edge.tokens == 0) return out;
  out.push_back({"mismatch/k1", edge.k1 / edge.tokens});
  out.push_back({"mismatch/k3", edge.k3 / edge.tokens});
  out.push_back({"mismatch/ess", edge.rho * edge.rho / edge.rho_square});
  out.push_back({"mismatch/chi_square", edge.rho_square / edge.tokens - 1});
  return out;
}

}  // namespace allot::objective

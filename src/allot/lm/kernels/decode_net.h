// The transformer as a decoder runs it: rows of tokens through packed weights against cached keys
// and values, without a trace of gradients. The same mathematics as lm/forward.h.
//
// A row is one new position of one sequence. Prompts are prefilled by giving consecutive positions
// of one cache as rows of one call. A row's numbers do not depend on the other rows of the call,
// bit for bit, except through the keys and values they put into a cache that it reads.
#pragma once

#include <memory>
#include <span>

#include "allot/lm/decode_state.h"
#include "allot/lm/team.h"

namespace allot::lm::kernels {

// W is the type of the weights: float, double, or Bf16, whose products have two BF16 factors and
// are summed in float. Everything between the products, and the cache, is Real<W>.
//
// forward() and logits() are called by all members of a team with the same arguments; each does its
// share. The numbers do not depend on the size of the team.
template <class W>
class DecodeNet {
 public:
  using T = Real<W>;

  virtual ~DecodeNet();

  // Runs the rows (at most scratch.rows) through all layers and fills their caches.
  virtual void forward(std::span<const DecodeRow<T>> rows, DecodeScratch<W>& scratch,
                       const TeamMember& member = {}) const = 0;

  // Logits of the rows `which` (ascending, at most scratch.logit_rows) of the last forward() call,
  // [which.size()][vocab_stride]. Once per call of forward().
  virtual const T* logits(std::span<const int> which, DecodeScratch<W>& scratch,
                          const TeamMember& member = {}) const = 0;

  // Bytes of the packed weights and tables.
  virtual std::size_t bytes() const = 0;
};
extern template class DecodeNet<float>;
extern template class DecodeNet<double>;
extern template class DecodeNet<Bf16>;

// Copies the weights into packed form for the instruction set in force, except the embedding, which
// is referred to.
template <class W>
std::unique_ptr<DecodeNet<W>> make_decode_net(const ModelConfig& config,
                                              const WeightPointers<W>& weights);

}  // namespace allot::lm::kernels

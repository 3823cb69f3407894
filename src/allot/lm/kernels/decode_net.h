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

namespace allot::lm::kernels {

template <class T>
class DecodeNet {
 public:
  virtual ~DecodeNet();

  // Runs the rows (at most scratch.rows) through all layers and fills their caches.
  virtual void forward(std::span<const DecodeRow<T>> rows, DecodeScratch<T>& scratch) const = 0;

  // Logits of rows [first, first + count) of the last forward() call, [count][vocab_stride].
  virtual const T* logits(int first, int count, DecodeScratch<T>& scratch) const = 0;
};
extern template class DecodeNet<float>;
extern template class DecodeNet<double>;

// Copies the weights into packed form for the instruction set in force, except the embedding, which
// is referred to.
template <class T>
std::unique_ptr<DecodeNet<T>> make_decode_net(const ModelConfig& config,
                                              const WeightPointers<T>& weights);

}  // namespace allot::lm::kernels

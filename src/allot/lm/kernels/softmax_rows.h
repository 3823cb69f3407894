// Log-normaliser and entropy of rows of logits, and the gradient of log-probabilities
// and entropies.
// Instantiated for float and double.
#pragma once

#include <cstdint>

namespace allot::lm::kernels {

// With z = scale * logits of a row [vocab]: log_sum = log sum exp z, entropy = -sum p log p in
// nats. logits [rows, vocab] is overwritten by z; log_sum, entropy [rows].
template <class T>
void softmax_rows_forward(T* logits, std::int64_t rows, std::int64_t vocab, T scale, T* log_sum,
                          T* entropy);

// Overwrites logits [rows, vocab] by -weight * scale * softmax(scale * logits): the part of the
// gradient that all targets of a row share. log_sum (of forward), weight [rows].
template <class T>
void softmax_rows_backward(T* logits, const T* log_sum, const T* weight, std::int64_t rows,
                           std::int64_t vocab, T scale);

// The same where the loss also depends on the entropies: overwrites logits by
// scale * p (-weight - entropy_weight (log p + entropy)). entropy (of forward), entropy_weight
// [rows].
template <class T>
void softmax_entropy_backward(T* logits, const T* log_sum, const T* entropy, const T* weight,
                              const T* entropy_weight, std::int64_t rows, std::int64_t vocab,
                              T scale);

}  // namespace allot::lm::kernels

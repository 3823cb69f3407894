// How the library multiplies matrices on this processor, and worker threads.
#pragma once

namespace allot::lm {

struct MatmulChoice {
  bool onednn = false;        // float products go through oneDNN instead of MKL
  double relative_error = 0;  // of oneDNN on a test product, against double
};

// Called once per process, before any other product and before worker threads start: it sets a
// global flag of the library. oneDNN, about twice as fast where MKL takes its slower code, is
// chosen if it computes in full float precision here: on processors with bfloat16 matrix units the
// same flag stands for rounded products. The choice depends on the processor only, never on a
// measured time, so that runs on one machine give the same bits. Also keeps freed memory
// (allocator.h), which the library's products allocate anew each time.
MatmulChoice configure_matmul();

// First call in every worker thread: the library's products and loops stay in this thread. Without
// it the first product of a new thread may use all cores.
void set_worker_threads();

}  // namespace allot::lm

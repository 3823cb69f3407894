// Fifty pairs that every build of the verifier must judge right, run before it judges a training
// run: a compiler or library that breaks it would otherwise show as a reward that teaches nothing.
// Source: verifier specification, section 13.
#pragma once

namespace allot::verify {

// Throws Error(Internal) naming the first pair that is judged otherwise. A millisecond.
void check_known_pairs();

}  // namespace allot::verify

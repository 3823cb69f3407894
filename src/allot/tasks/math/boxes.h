// \boxed{..} and \fbox{..} in a response. Source: verifier specification, section 3.2.
#pragma once

#include "allot/tasks/math/extract.h"

namespace allot::verify {

// The last complete group of boxes: boxes with only spaces, commas, semicolons, "and", "or",
// \quad or math delimiters between them are one group. Rung::None if there is none. Nested boxes
// are unwrapped; an empty box is passed over; an unclosed one ignored.
Candidate find_boxes(std::string_view text, Work& work);

}  // namespace allot::verify

// How a prompt's text becomes the token ids that are stored with it: given by who knows the
// tokenizer.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace allot {

using Encode = std::function<std::vector<std::int32_t>(const std::string& text)>;

}  // namespace allot

// The tokenizer that belongs to a model's folder.
#pragma once

#include <memory>
#include <string>

#include "allot/text/tokenizer.h"

namespace allot {

// Of a Hugging Face folder, or of the base of an adapter's folder that has none of its own.
// Throws Error(Model) naming the file that does not fit.
std::shared_ptr<const Tokenizer> folder_tokenizer(const std::string& path);

}  // namespace allot

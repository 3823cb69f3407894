// Reads a byte-level BPE tokenizer from the files of a folder; see text/load_tokenizer.h.
#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <string_view>

#include "allot/text/bpe_tokenizer.h"

namespace allot {

// Name -> content.
using TokenizerFiles = std::map<std::string, std::string>;

// Content of one file. Error(Model): it cannot be read, or is larger than 256 MiB.
std::string read_model_file(const std::filesystem::path& path);

// Those files of `folder` that belong to a tokenizer; none where there is no such folder.
TokenizerFiles read_tokenizer_files(const std::filesystem::path& folder);

// `folder` is for messages. Error(Model) naming the file and what it lacks.
BpeTokenizer make_bpe_tokenizer(const TokenizerFiles& files, const std::string& folder);

}  // namespace allot

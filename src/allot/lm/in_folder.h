// The path of a file of a model folder.
#pragma once

#include <filesystem>
#include <string>

namespace allot::lm {

inline std::string in_folder(const std::string& folder, const std::string& file) {
  return (std::filesystem::path(folder) / file).string();
}

}  // namespace allot::lm

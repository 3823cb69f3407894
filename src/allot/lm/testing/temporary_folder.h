// A folder of its own for a test of model files.
#pragma once

#include <cstddef>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

#include "allot/core/testing/temporary_folder.h"

namespace allot::lm {

class TemporaryFolder : public testing::TemporaryFolder {
 public:
  std::string file(const std::string& name) const { return (*this / name).string(); }
  std::size_t entries() const {
    return std::distance(std::filesystem::directory_iterator(path()),
                         std::filesystem::directory_iterator());
  }
  void write(const std::string& name, const std::string& bytes) const {
    std::ofstream(file(name), std::ios::binary) << bytes;
  }
};

}  // namespace allot::lm

// Weights that are a number in a file: version + 1, in the folder that the fake server reads.
#pragma once

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "allot/remote/weight_publisher.h"

namespace allot::remote::testing {

class NumberedWeights : public WeightPublisher {
 public:
  // `name` tells the folders of tests that run at the same time apart. Folder: always the same one;
  // otherwise one per version, as for adapters.
  NumberedWeights(const std::string& folder, bool one_folder)
      : folder_(folder), one_folder_(one_folder) {
    std::filesystem::remove_all(folder_);
    std::filesystem::create_directories(folder_);
  }
  ~NumberedWeights() override { std::filesystem::remove_all(folder_); }

  std::string publish(Version version) override {
    const std::filesystem::path folder = one_folder_ ? folder_ : folder_ / std::to_string(version);
    std::filesystem::create_directories(folder);
    std::ofstream(folder / "weights") << number(version);
    return folder.string();
  }
  void retire(Version version) override { retired.push_back(version); }

  static std::uint64_t number(Version version) { return std::uint64_t{version} + 1; }

  std::vector<Version> retired;

 private:
  std::filesystem::path folder_;
  bool one_folder_;
};

}  // namespace allot::remote::testing

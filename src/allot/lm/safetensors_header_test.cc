// The inputs of the fuzzer (fuzz/safetensors.cc), replayed; what is refused: model_test.cc.
#include "allot/lm/safetensors_header.h"

#include <filesystem>

#include <gtest/gtest.h>

#include "allot/core/durable_file.h"
#include "allot/core/error.h"

namespace allot::lm {
namespace {

TEST(SafetensorsHeader, WhatIsWrittenReadsBack) {
  const std::vector<SafetensorsEntry> entries = {{"a", NumberType::F32, {2, 3}, 0, 24},
                                                 {"b \"quoted\"", NumberType::BF16, {}, 24, 26},
                                                 {"c", NumberType::F16, {0, 7}, 26, 26}};
  const std::string header = write_safetensors_header(entries, "x");
  EXPECT_EQ(header.size() % 8, 0u);
  const std::string file = header + std::string(26, 'x');
  const auto back = read_safetensors_header(file, "x");
  EXPECT_EQ(8 + safetensors_header_size(file, "x"), header.size());
  ASSERT_EQ(back.size(), entries.size());
  for (std::size_t i = 0; i < back.size(); ++i) {
    EXPECT_EQ(back[i].name, entries[i].name);
    EXPECT_EQ(back[i].type, entries[i].type);
    EXPECT_EQ(back[i].shape, entries[i].shape);
    EXPECT_EQ(back[i].begin, entries[i].begin);
    EXPECT_EQ(back[i].end, entries[i].end);
  }
}

TEST(SafetensorsHeader, InputsOfTheFuzzerStayInsideTheFile) {
  int read = 0, refused = 0;
  for (const auto& input :
       std::filesystem::directory_iterator(ALLOT_SOURCE_DIR "/fuzz/corpus/safetensors")) {
    const std::string file = read_file(input.path());
    try {
      for (const SafetensorsEntry& entry : read_safetensors_header(file, "input")) {
        EXPECT_LE(entry.begin, entry.end);
        EXPECT_LE(8 + safetensors_header_size(file, "input") + entry.end, file.size());
      }
      ++read;
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::Model);
      ++refused;
    }
  }
  EXPECT_GT(read, 3);
  EXPECT_GT(refused, 10);
}

}  // namespace
}  // namespace allot::lm

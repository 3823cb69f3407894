// CRC-32C against the published sums of RFC 3720, B.4, and against the definition bit by bit.
#include "allot/store/crc32c.h"

#include <string>

#include <gtest/gtest.h>

#include "allot/core/durable_file.h"
#include "allot/core/error.h"
#include "allot/core/random.h"
#include "allot/core/testing/temporary_folder.h"

namespace allot {
namespace {

std::uint32_t by_definition(const std::string& bytes) {
  std::uint32_t sum = 0xffffffff;
  for (const unsigned char byte : bytes) {
    sum ^= byte;
    for (int bit = 0; bit < 8; ++bit) sum = (sum & 1) ? (sum >> 1) ^ 0x82F63B78 : sum >> 1;
  }
  return ~sum;
}

TEST(Crc32c, EqualsThePublishedSums) {
  std::string ascending, descending;
  for (int i = 0; i < 32; ++i) ascending += static_cast<char>(i);
  for (int i = 31; i >= 0; --i) descending += static_cast<char>(i);
  EXPECT_EQ(crc32c(std::string(32, '\0')), 0x8A9136AAu);
  EXPECT_EQ(crc32c(std::string(32, '\xff')), 0x62A8AB43u);
  EXPECT_EQ(crc32c(ascending), 0x46DD794Eu);
  EXPECT_EQ(crc32c(descending), 0x113FDB5Cu);
  EXPECT_EQ(crc32c("123456789"), 0xE3069283u);
  EXPECT_EQ(crc32c(""), 0u);
}

TEST(Crc32c, EqualsTheDefinitionAtEveryLengthAndCut) {
  RandomStream random({3, RandomUse::Test});
  for (std::size_t length = 0; length < 70; ++length) {
    std::string bytes;
    for (std::size_t i = 0; i < length; ++i) bytes += static_cast<char>(random.below(256));
    EXPECT_EQ(crc32c(bytes), by_definition(bytes));
    const std::size_t cut = random.below(length + 1);
    EXPECT_EQ(crc32c(bytes.substr(cut), crc32c(bytes.substr(0, cut))), by_definition(bytes));
  }
}

TEST(Crc32c, OfAFileIsThatOfItsContent) {
  testing::TemporaryFolder folder;
  const std::string content(200001, 'q');
  write_synced_file(folder / "f", content);
  EXPECT_EQ(file_crc32c(folder / "f"), crc32c(content));
  EXPECT_THROW(file_crc32c(folder / "missing"), Error);
}

}  // namespace
}  // namespace allot

// Eight bytes at a time by eight tables ("slicing by 8", Kounavis and Berry 2005).
#include "allot/store/crc32c.h"

#include <array>
#include <cstring>
#include <fstream>

#include "allot/core/error.h"

namespace allot {
namespace {

constexpr std::uint32_t kPolynomial = 0x82F63B78;  // 0x1EDC6F41 with its bits reversed

using Tables = std::array<std::array<std::uint32_t, 256>, 8>;

// tables[k][b]: what byte b does to the sum when k more zero bytes follow it.
constexpr Tables make_tables() {
  Tables tables{};
  for (std::uint32_t b = 0; b < 256; ++b) {
    std::uint32_t sum = b;
    for (int bit = 0; bit < 8; ++bit) sum = (sum >> 1) ^ ((sum & 1) ? kPolynomial : 0);
    tables[0][b] = sum;
  }
  for (std::size_t k = 1; k < 8; ++k)
    for (std::size_t b = 0; b < 256; ++b)
      tables[k][b] = (tables[k - 1][b] >> 8) ^ tables[0][tables[k - 1][b] & 0xff];
  return tables;
}

constexpr Tables kTables = make_tables();

}  // namespace

std::uint32_t crc32c(std::string_view bytes, std::uint32_t before) {
  std::uint32_t sum = ~before;
  std::size_t i = 0;
  for (; i + 8 <= bytes.size(); i += 8) {
    std::uint64_t word;  // little-endian, as everything of ours
    std::memcpy(&word, bytes.data() + i, 8);
    word ^= sum;
    sum = 0;
    for (std::size_t k = 0; k < 8; ++k) sum ^= kTables[7 - k][(word >> (8 * k)) & 0xff];
  }
  for (; i < bytes.size(); ++i)
    sum = (sum >> 8) ^ kTables[0][(sum ^ static_cast<unsigned char>(bytes[i])) & 0xff];
  return ~sum;
}

std::uint32_t file_crc32c(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  std::uint32_t sum = 0;
  std::array<char, 1 << 16> buffer;
  while (file) {
    file.read(buffer.data(), buffer.size());
    sum = crc32c({buffer.data(), static_cast<std::size_t>(file.gcount())}, sum);
  }
  if (!file.eof()) throw Error(ErrorKind::Model, path.string(), "the file cannot be read");
  return sum;
}

}  // namespace allot

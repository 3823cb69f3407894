// CRC-32C (Castagnoli), the checksum of iSCSI (RFC 3720, appendix B.4) and of TensorBoard's event
// files: finds every error burst of up to 32 bits, and any other damage but for 1 in 2^32.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string_view>

namespace allot {

// `before`: the sum of the bytes that come before, so that a long text can be summed in parts.
std::uint32_t crc32c(std::string_view bytes, std::uint32_t before = 0);

// Of a file's content. Throws Error(Model) if it cannot be read.
std::uint32_t file_crc32c(const std::filesystem::path& path);

}  // namespace allot

#include "allot/text/nfc.h"

#include <algorithm>
#include <array>
#include <vector>

#include <utf8proc.h>

#include "allot/core/error.h"
#include "allot/core/utf8.h"

namespace allot {
namespace {

constexpr auto kOptions = static_cast<utf8proc_option_t>(UTF8PROC_STABLE | UTF8PROC_COMPOSE);

utf8proc_propval_t combining_class(utf8proc_int32_t code) {
  return utf8proc_get_property(code)->combining_class;
}

std::vector<utf8proc_int32_t> decomposed(std::string_view text) {
  std::vector<utf8proc_int32_t> codes;
  codes.reserve(text.size());
  while (!text.empty()) {
    std::array<utf8proc_int32_t, 32> part{};  // the longest decomposition has 18
    int boundary = 0;
    const utf8proc_ssize_t count =
        utf8proc_decompose_char(static_cast<utf8proc_int32_t>(utf8_code_point(text)), part.data(),
                                part.size(), kOptions, &boundary);
    if (count < 0 || count > static_cast<utf8proc_ssize_t>(part.size()))
      throw Error(ErrorKind::Internal, "nfc", utf8proc_errmsg(count));
    codes.insert(codes.end(), part.begin(), part.begin() + count);
    text.remove_prefix(utf8_length(text));
  }
  return codes;
}

// The canonical order of combining marks. utf8proc's own takes quadratic time.
void order_marks(std::vector<utf8proc_int32_t>& codes) {
  const auto is_starter = [](utf8proc_int32_t code) { return combining_class(code) == 0; };
  for (auto begin = codes.begin(); begin != codes.end();) {
    begin = std::find_if_not(begin, codes.end(), is_starter);
    const auto end = std::find_if(begin, codes.end(), is_starter);
    std::stable_sort(begin, end, [](utf8proc_int32_t a, utf8proc_int32_t b) {
      return combining_class(a) < combining_class(b);
    });
    begin = end;
  }
}

}  // namespace

bool is_nfc_by_range(std::string_view text) {
  // U+0300 is CC 80: smaller lead bytes mean smaller characters.
  return std::all_of(text.begin(), text.end(),
                     [](char c) { return static_cast<unsigned char>(c) < 0xCC; });
}

std::string nfc(std::string_view text) {
  std::vector<utf8proc_int32_t> codes = decomposed(text);
  order_marks(codes);
  const utf8proc_ssize_t count =
      utf8proc_normalize_utf32(codes.data(), static_cast<utf8proc_ssize_t>(codes.size()), kOptions);
  if (count < 0) throw Error(ErrorKind::Internal, "nfc", utf8proc_errmsg(count));
  std::string out;
  out.reserve(text.size());
  for (utf8proc_ssize_t i = 0; i < count; ++i) {
    std::array<utf8proc_uint8_t, 4> bytes{};
    const utf8proc_ssize_t length =
        utf8proc_encode_char(codes[static_cast<std::size_t>(i)], bytes.data());
    out.append(bytes.begin(), bytes.begin() + length);
  }
  return out;
}

}  // namespace allot

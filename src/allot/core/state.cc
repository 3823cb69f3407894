#include "allot/core/state.h"

namespace allot {

void StateReader::fail(std::string_view what) const {
  throw Error(ErrorKind::Model, concat("state of ", where_),
              concat("saved state cannot be read: ", what),
              "it is damaged or from another version of allot");
}

std::string_view StateReader::take(std::uint64_t bytes) {
  if (bytes > rest_.size()) fail("it ends too early");
  const std::string_view part = rest_.substr(0, bytes);
  rest_.remove_prefix(bytes);
  return part;
}

std::uint64_t StateReader::length() {
  std::uint64_t n = 0;
  (*this)(n);
  if (n > rest_.size()) fail("a length exceeds what is left");
  return n;
}

void check_state_header(StateReader& in, std::string_view name, std::uint32_t version) {
  std::string found;
  std::uint32_t found_version = 0;
  in(found);
  in(found_version);
  if (found != name) in.fail(concat("it belongs to '", found, "', not to '", name, "'"));
  if (found_version != version)
    in.fail(concat("version ", found_version, " is unknown here; this build reads ", version));
}

}  // namespace allot

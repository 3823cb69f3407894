// Files that are whole or not there. Internal to lm/.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

namespace allot::lm {

struct Bytes {
  const void* data;
  std::size_t size;
};

// Writes the pieces to a file beside `path`, flushes it to disk and renames it to `path`. Throws
// Error(Model) with the system's reason; the file beside is removed then and `path` is as before.
void write_atomically(const std::string& path, const std::vector<Bytes>& pieces);

}  // namespace allot::lm

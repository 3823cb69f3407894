// A file of which rows are read again while a run goes on.
#pragma once

#include <cstdint>
#include <string>

namespace allot {

// Holds the file open: replacing it by another of the same name changes nothing that is read here.
// read() may be called from any thread.
class RowFile {
 public:
  // Throws Error(Data): the file cannot be opened, or is none that can be read anywhere (a pipe).
  explicit RowFile(const std::string& path);
  ~RowFile();
  RowFile(const RowFile&) = delete;
  RowFile& operator=(const RowFile&) = delete;

  const std::string& path() const { return path_; }
  std::uint64_t size() const { return stamp_.size; }

  // Throws Error(Data): the file was written to since it was opened, or reading fails.
  std::string read(std::uint64_t offset, std::size_t bytes) const;
  // "[PATH:LINE] the file was changed .."
  [[noreturn]] void refuse_change(const std::string& place) const;

 private:
  // What tells that a file was written to.
  struct Stamp {
    std::uint64_t size = 0;
    std::int64_t seconds = 0, nanoseconds = 0;
    bool operator==(const Stamp&) const = default;
  };
  Stamp stamp() const;

  std::string path_;
  int file_ = -1;
  Stamp stamp_;
};

}  // namespace allot

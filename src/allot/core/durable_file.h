// Files that survive a crash: atomic replacement, synced appends, errors that name the path.
//
// Everything here throws Error(Model, path) with the system's reason (full disk, read-only folder).
#pragma once

#include <filesystem>
#include <span>
#include <string>
#include <string_view>

namespace allot {

// Owns a POSIX file descriptor. Move-only.
class FileHandle {
 public:
  FileHandle() = default;
  explicit FileHandle(int descriptor) : descriptor_(descriptor) {}
  FileHandle(FileHandle&& other) noexcept;
  FileHandle& operator=(FileHandle&& other) noexcept;
  ~FileHandle();

  int get() const { return descriptor_; }

 private:
  int descriptor_ = -1;
};

// A file that only grows. A write that fails midway (full disk) is cut off again, so that the file
// never ends in half a record of ours.
class AppendFile {
 public:
  explicit AppendFile(const std::filesystem::path& path);  // created if missing
  void append(std::string_view bytes);
  void sync();

 private:
  std::filesystem::path path_;
  FileHandle file_;
};

std::string read_file(const std::filesystem::path& path);

// Writes aside, syncs, renames over `path`, syncs the folder: readers see the old or the new
// content, never a part.
void replace_file(const std::filesystem::path& path, std::string_view bytes);
// The same from pieces that lie one after the other.
void replace_file(const std::filesystem::path& path, std::span<const std::string_view> pieces);

// Writes and syncs a file in place; for folders that are renamed as a whole afterwards.
void write_synced_file(const std::filesystem::path& path, std::string_view bytes);

// fsync of a file or folder.
void sync_path(const std::filesystem::path& path);

// Cuts a file to `bytes` and syncs it.
void truncate_file(const std::filesystem::path& path, std::uintmax_t bytes);

}  // namespace allot

// Files that survive a crash, over POSIX calls: the standard streams cannot fsync.
#include "allot/core/durable_file.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "allot/core/error.h"

namespace allot {
namespace {

namespace fs = std::filesystem;

[[noreturn]] void fail(const fs::path& path, std::string_view what) {
  const int reason = errno;
  const bool full = reason == ENOSPC || reason == EDQUOT || reason == EFBIG;
  const bool refused = reason == EACCES || reason == EROFS || reason == EPERM;
  throw Error(ErrorKind::Model, path.string(), concat(what, ": ", std::strerror(reason)),
              full      ? "free disk space or choose another folder; what was complete is intact"
              : refused ? "choose a folder that you may write to"
                        : "");
}

FileHandle opened(const fs::path& path, int flags) {
  FileHandle file(::open(path.c_str(), flags | O_CLOEXEC, 0644));
  if (file.get() < 0) fail(path, "cannot be opened");
  return file;
}

// Returns false with errno set when not everything could be written.
bool write_all(int descriptor, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t n =
        ::write(descriptor, bytes.data(), std::min(bytes.size(), std::size_t{1} << 30));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return false;
    bytes.remove_prefix(static_cast<std::size_t>(n));
  }
  return true;
}

void write_synced(const fs::path& path, std::span<const std::string_view> pieces) {
  const FileHandle file = opened(path, O_WRONLY | O_CREAT | O_TRUNC);
  for (const std::string_view piece : pieces)
    if (!write_all(file.get(), piece)) fail(path, "cannot be written");
  if (::fsync(file.get()) != 0) fail(path, "cannot be synced");
}

}  // namespace

FileHandle::FileHandle(FileHandle&& other) noexcept
    : descriptor_(std::exchange(other.descriptor_, -1)) {}

FileHandle& FileHandle::operator=(FileHandle&& other) noexcept {
  if (this != &other) {
    if (descriptor_ >= 0) ::close(descriptor_);
    descriptor_ = std::exchange(other.descriptor_, -1);
  }
  return *this;
}

FileHandle::~FileHandle() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

AppendFile::AppendFile(const fs::path& path)
    : path_(path), file_(opened(path, O_WRONLY | O_CREAT | O_APPEND)) {}

void AppendFile::append(std::string_view bytes) {
  const off_t end = ::lseek(file_.get(), 0, SEEK_END);
  if (write_all(file_.get(), bytes)) return;
  const int reason = errno;
  // Best effort: if even this fails, the reader tolerates a torn last line.
  if (end >= 0 && ::ftruncate(file_.get(), end) != 0) errno = reason;
  errno = reason;
  fail(path_, "cannot be written");
}

void AppendFile::sync() {
  if (::fsync(file_.get()) != 0) fail(path_, "cannot be synced");
}

std::string read_file(const fs::path& path) {
  const FileHandle file = opened(path, O_RDONLY);
  std::string text;
  char buffer[1 << 16];
  for (;;) {
    const ssize_t n = ::read(file.get(), buffer, sizeof buffer);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) fail(path, "cannot be read");
    if (n == 0) return text;
    text.append(buffer, static_cast<std::size_t>(n));
  }
}

void write_synced_file(const fs::path& path, std::string_view bytes) {
  write_synced(path, {&bytes, 1});
}

void replace_file(const fs::path& path, std::string_view bytes) {
  replace_file(path, std::span<const std::string_view>(&bytes, 1));
}

void replace_file(const fs::path& path, std::span<const std::string_view> pieces) {
  const fs::path aside = path.parent_path() / concat(".", path.filename().string(), ".new");
  try {
    write_synced(aside, pieces);
  } catch (...) {
    ::unlink(aside.c_str());
    throw;
  }
  if (::rename(aside.c_str(), path.c_str()) != 0) {
    const int reason = errno;
    ::unlink(aside.c_str());
    errno = reason;
    fail(path, "cannot be replaced");
  }
  sync_path(path.has_parent_path() ? path.parent_path() : ".");
}

void sync_path(const fs::path& path) {
  const FileHandle file = opened(path, O_RDONLY);
  // Some file systems cannot sync a folder and say EINVAL; there is nothing more to do there.
  if (::fsync(file.get()) != 0 && errno != EINVAL) fail(path, "cannot be synced");
}

void truncate_file(const fs::path& path, std::uintmax_t bytes) {
  const FileHandle file = opened(path, O_WRONLY);
  if (::ftruncate(file.get(), static_cast<off_t>(bytes)) != 0) fail(path, "cannot be cut");
  if (::fsync(file.get()) != 0) fail(path, "cannot be synced");
}

}  // namespace allot

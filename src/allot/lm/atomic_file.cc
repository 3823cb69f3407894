#include "allot/lm/atomic_file.h"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>

#include <fcntl.h>
#include <unistd.h>

#include "allot/core/error.h"

namespace allot::lm {
namespace {

[[noreturn]] void fail(const std::string& path, const char* action) {
  const int reason = errno;
  throw Error(ErrorKind::Model, path, concat("cannot ", action, ": ", std::strerror(reason)),
              reason == ENOSPC ? "free some disk space" : "");
}

// Owns the file beside until it is renamed.
class FileBeside {
 public:
  explicit FileBeside(const std::string& path)
      : path_(path), name_(path + ".writing-" + std::to_string(::getpid())) {
    descriptor_ = ::open(name_.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    if (descriptor_ < 0) fail(path_, "be created");
  }
  ~FileBeside() {
    if (descriptor_ >= 0) ::close(descriptor_);
    if (!renamed_) ::unlink(name_.c_str());
  }
  FileBeside(const FileBeside&) = delete;
  FileBeside& operator=(const FileBeside&) = delete;

  void write(Bytes piece) {
    const char* at = static_cast<const char*>(piece.data);
    std::size_t left = piece.size;
    while (left > 0) {
      const ssize_t written = ::write(descriptor_, at, std::min(left, std::size_t{1} << 30));
      if (written < 0 && errno == EINTR) continue;
      if (written < 0) fail(path_, "be written");
      at += written;
      left -= static_cast<std::size_t>(written);
    }
  }

  void publish() {
    if (::fsync(descriptor_) != 0) fail(path_, "be flushed to disk");
    const int descriptor = descriptor_;
    descriptor_ = -1;
    if (::close(descriptor) != 0) fail(path_, "be closed");
    if (std::rename(name_.c_str(), path_.c_str()) != 0) fail(path_, "be renamed into place");
    renamed_ = true;
    flush_folder();
  }

 private:
  // Makes the new name durable; file systems that cannot flush a folder are left as they are.
  void flush_folder() {
    const std::string folder = std::filesystem::absolute(path_).parent_path().string();
    const int descriptor = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (descriptor < 0) return;
    ::fsync(descriptor);
    ::close(descriptor);
  }

  std::string path_, name_;
  int descriptor_ = -1;
  bool renamed_ = false;
};

}  // namespace

void write_atomically(const std::string& path, const std::vector<Bytes>& pieces) {
  FileBeside file(path);
  for (const Bytes& piece : pieces) file.write(piece);
  file.publish();
}

}  // namespace allot::lm

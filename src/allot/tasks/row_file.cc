#include "allot/tasks/row_file.h"

#include <cerrno>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "allot/core/error.h"

namespace allot {

RowFile::RowFile(const std::string& path)
    : path_(path), file_(::open(path.c_str(), O_RDONLY | O_CLOEXEC)) {
  if (file_ < 0)
    throw Error(ErrorKind::Data, path, "the file cannot be opened; a readable file is needed");
  struct stat status {};
  if (::fstat(file_, &status) != 0 || !S_ISREG(status.st_mode)) {
    ::close(file_);
    throw Error(ErrorKind::Data, path,
                "it is no regular file; one that can be read twice is needed",
                "data.jsonl.stream=never reads it once");
  }
  stamp_ = stamp();
}

RowFile::~RowFile() { ::close(file_); }

RowFile::Stamp RowFile::stamp() const {
  struct stat status {};
  if (::fstat(file_, &status) != 0) return {};
  return {static_cast<std::uint64_t>(status.st_size), status.st_mtim.tv_sec,
          status.st_mtim.tv_nsec};
}

std::string RowFile::read(std::uint64_t offset, std::size_t bytes) const {
  if (stamp() != stamp_) refuse_change(path_);
  std::string text(bytes, '\0');
  for (std::size_t done = 0; done < bytes;) {
    const ssize_t got =
        ::pread(file_, text.data() + done, bytes - done, static_cast<off_t>(offset + done));
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) throw Error(ErrorKind::Data, path_, "reading a row again failed");
    done += static_cast<std::size_t>(got);
  }
  return text;
}

void RowFile::refuse_change(const std::string& place) const {
  throw Error(ErrorKind::Data, place,
              "the file was changed while its rows are in use; it must stay as it was at the start",
              "start again with the new file, or write new rows to another one");
}

}  // namespace allot

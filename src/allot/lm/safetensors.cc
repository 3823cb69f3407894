#include "allot/lm/safetensors.h"

#include <cerrno>
#include <cstring>
#include <string_view>

#include <ATen/core/grad_mode.h>
#include <ATen/ops/empty.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "allot/core/durable_file.h"
#include "allot/core/error.h"

namespace allot::lm {

at::ScalarType scalar_type(NumberType type) {
  switch (type) {
    case NumberType::F32:
      return at::kFloat;
    case NumberType::BF16:
      return at::kBFloat16;
    case NumberType::F16:
      return at::kHalf;
    default:
      return at::kDouble;
  }
}

// The whole file, read-only.
class SafetensorsFile::Mapping {
 public:
  explicit Mapping(const std::string& path) {
    const FileHandle file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    if (file.get() < 0) fail(path, "cannot be opened");
    struct stat facts;
    if (::fstat(file.get(), &facts) != 0) fail(path, "cannot be examined");
    if (!S_ISREG(facts.st_mode)) {
      throw Error(ErrorKind::Model, path, "is no regular file; a safetensors file is needed");
    }
    size_ = static_cast<std::size_t>(facts.st_size);
    if (size_ == 0) return;
    void* const start = ::mmap(nullptr, size_, PROT_READ, MAP_PRIVATE, file.get(), 0);
    if (start == MAP_FAILED) fail(path, "cannot be mapped");
    start_ = static_cast<char*>(start);
  }
  ~Mapping() {
    if (start_ != nullptr) ::munmap(start_, size_);
  }
  Mapping(const Mapping&) = delete;
  Mapping& operator=(const Mapping&) = delete;

  std::string_view bytes() const { return {start_, size_}; }

  // Bytes [begin, end) have been read. They stay in the system's cache of files, and are read again
  // when they are needed again.
  void give_back(std::uint64_t begin, std::uint64_t end) const {
    const auto page = static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
    begin -= begin % page;
    ::madvise(start_ + begin, end - begin, MADV_DONTNEED);
  }

 private:
  [[noreturn]] static void fail(const std::string& path, const char* what) {
    throw Error(ErrorKind::Model, path, concat(what, ": ", std::strerror(errno)));
  }

  char* start_ = nullptr;
  std::size_t size_ = 0;
};

SafetensorsFile::SafetensorsFile(const std::string& path)
    : path_(path), mapping_(std::make_shared<Mapping>(path)) {
  entries_ = read_safetensors_header(mapping_->bytes(), path);
  data_ = 8 + safetensors_header_size(mapping_->bytes(), path);
}

at::Tensor SafetensorsFile::read(const SafetensorsEntry& entry) const {
  at::Tensor tensor = at::empty(entry.shape, scalar_type(entry.type));
  if (entry.end > entry.begin) {
    std::memcpy(tensor.mutable_data_ptr(), mapping_->bytes().data() + data_ + entry.begin,
                entry.end - entry.begin);
    mapping_->give_back(data_ + entry.begin, data_ + entry.end);
  }
  return tensor;
}

at::Tensor SafetensorsFile::read(const SafetensorsEntry& entry, at::ScalarType type,
                                 at::Device device) const {
  return read(entry).to(at::TensorOptions(device).dtype(type));
}

std::vector<NamedTensor> read_safetensors(const std::string& path) {
  const SafetensorsFile file(path);
  std::vector<NamedTensor> tensors;
  for (const SafetensorsEntry& entry : file.entries()) {
    tensors.push_back({entry.name, file.read(entry)});
  }
  return tensors;
}

void write_safetensors(const std::string& path, const std::vector<NamedTensor>& tensors,
                       NumberType type) {
  const at::NoGradGuard no_grad;
  std::vector<SafetensorsEntry> entries;
  std::uint64_t offset = 0;
  for (const NamedTensor& named : tensors) {
    const std::uint64_t bytes = static_cast<std::uint64_t>(named.tensor.numel()) * bytes_of(type);
    entries.push_back({named.name, type, named.tensor.sizes().vec(), offset, offset + bytes});
    offset += bytes;
  }
  const std::string header = write_safetensors_header(entries, path);
  std::vector<std::string_view> pieces = {header};
  std::vector<at::Tensor> kept;  // converted copies, alive until they are written
  for (const NamedTensor& named : tensors) {
    kept.push_back(named.tensor.detach().to(at::kCPU, scalar_type(type)).contiguous());
    pieces.emplace_back(static_cast<const char*>(kept.back().const_data_ptr()),
                        static_cast<std::size_t>(kept.back().numel()) * bytes_of(type));
  }
  replace_file(path, pieces);
}

}  // namespace allot::lm

#include "allot/store/run_folder.h"

#include <cerrno>
#include <cstring>
#include <system_error>

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include "allot/core/error.h"

namespace allot {
namespace {

namespace fs = std::filesystem;

// "runs/x/" names the same folder as "runs/x".
fs::path without_trailing_slash(const fs::path& path) {
  const fs::path clean = path.lexically_normal();
  return clean.has_filename() ? clean : clean.parent_path();
}

[[noreturn]] void fail(const fs::path& path, std::string_view what, std::string_view reason,
                       std::string_view hint) {
  throw Error(ErrorKind::Model, path.string(), concat(what, ": ", reason), hint);
}

// Waits for nobody: a run that is being written is an error at once.
FileHandle locked(const fs::path& run) {
  const fs::path path = run / ".lock";
  FileHandle file(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644));
  if (file.get() < 0)
    fail(run, "the run folder cannot be written", std::strerror(errno),
         "choose a folder that you may write to");
  if (::flock(file.get(), LOCK_EX | LOCK_NB) != 0)
    fail(run, "the run folder cannot be locked",
         errno == EWOULDBLOCK ? "another process is writing this run" : std::strerror(errno),
         "wait for it or stop it, or start a new run with --fresh");
  return file;
}

}  // namespace

RunFolder::RunFolder(RunFolderPath path, FileHandle lock)
    : path_(std::move(path)), lock_(std::move(lock)) {
  clear_unfinished_checkpoints(path_);
}

bool RunFolder::is_run(const RunFolderPath& path) {
  std::error_code ignored;
  for (const char* file : {"config.expanded.yaml", "run.sqlite", ".lock"})
    if (fs::is_regular_file(path / file, ignored)) return true;
  return false;
}

RunFolder RunFolder::open(const RunFolderPath& path) {
  const fs::path folder = without_trailing_slash(path);
  std::error_code reason;
  fs::create_directories(folder, reason);
  if (reason)
    fail(folder, "the run folder cannot be made", reason.message(),
         "choose a folder that you may write to");
  if (!fs::is_empty(folder, reason) && !is_run(folder))
    fail(folder, "the folder is not a run", "it holds other files and no run.sqlite",
         "choose another name with --name");
  FileHandle lock = locked(folder);
  return RunFolder(folder, std::move(lock));
}

RunFolderPath make_fresh_folder(const RunFolderPath& path) {
  const fs::path folder = without_trailing_slash(path);
  std::error_code reason;
  if (folder.has_parent_path()) fs::create_directories(folder.parent_path(), reason);
  // mkdir decides: two processes that start together get two folders.
  for (int number = 1;; ++number) {
    fs::path candidate = folder;
    if (number > 1) candidate += concat("-", number);
    const bool made = !reason && fs::create_directory(candidate, reason);
    if (reason && reason != std::errc::file_exists)
      fail(candidate, "the run folder cannot be made", reason.message(),
           "choose a folder that you may write to");
    reason.clear();
    if (made) return candidate;
  }
}

RunFolder RunFolder::create_fresh(const RunFolderPath& path) {
  const fs::path folder = make_fresh_folder(path);
  FileHandle lock = locked(folder);
  return RunFolder(folder, std::move(lock));
}

void RunFolder::write_config(std::string_view given, std::string_view expanded) {
  replace_file(path_ / "config.yaml", given);
  replace_file(path_ / "config.expanded.yaml", expanded);
}

std::optional<std::string> RunFolder::expanded_config() const {
  std::error_code ignored;
  if (!fs::exists(path_ / "config.expanded.yaml", ignored)) return std::nullopt;
  return read_file(path_ / "config.expanded.yaml");
}

std::optional<CheckpointFolder> RunFolder::newest_checkpoint(
    std::vector<std::string>& warnings) const {
  return newest_sound_checkpoint(path_, warnings);
}

}  // namespace allot

// Checkpoint folders. The order of system calls is the point of this file:
//   files, fsync each; COMPLETE, fsync; fsync folder; rename; fsync run folder; `latest` by rename.
// A crash between any two leaves either no new checkpoint or a complete one.
#include "allot/store/checkpoint.h"

#include <algorithm>
#include <charconv>
#include <system_error>
#include <utility>

#include <nlohmann/json.hpp>

#include "allot/core/durable_file.h"
#include "allot/core/error.h"
#include "allot/store/crc32c.h"

namespace allot {
namespace {

namespace fs = std::filesystem;
using nlohmann::ordered_json;

constexpr const char* kCheckpointFormat = "allot.checkpoint";
constexpr std::string_view kPrefix = "checkpoint-";
constexpr std::string_view kAsidePrefix =
    ".checkpoint-";                  // .checkpoint-N.partial, .checkpoint-N.old
constexpr int kCompleteVersion = 2;  // 1: sizes without checksums

std::string folder_name(std::uint64_t step) { return concat(kPrefix, step); }

std::optional<std::uint64_t> step_of(const fs::path& path) {
  const std::string name = path.filename().string();
  if (name.rfind(kPrefix, 0) != 0) return std::nullopt;
  std::uint64_t step = 0;
  const char* begin = name.data() + kPrefix.size();
  const char* end = name.data() + name.size();
  const auto [stop, status] = std::from_chars(begin, end, step);
  if (status != std::errc() || stop != end || begin == end) return std::nullopt;
  return step;
}

// {"model.safetensors": {"bytes": N, "crc32c": S}, ...} of all files but COMPLETE, by relative
// path, sorted.
ordered_json file_sums(const fs::path& folder) {
  std::vector<std::pair<std::string, std::uintmax_t>> found;
  for (const auto& entry : fs::recursive_directory_iterator(folder))
    if (entry.is_regular_file() && entry.path().filename() != "COMPLETE")
      found.emplace_back(fs::relative(entry.path(), folder).generic_string(), entry.file_size());
  std::sort(found.begin(), found.end());
  ordered_json sums = ordered_json::object();
  for (const auto& [name, size] : found)
    sums[name] = {{"bytes", size}, {"crc32c", file_crc32c(folder / name)}};
  return sums;
}

void sync_tree(const fs::path& folder) {
  for (const auto& entry : fs::recursive_directory_iterator(folder))
    if (entry.is_regular_file() || entry.is_directory()) sync_path(entry.path());
}

bool is_count(const ordered_json& object, const char* key) {
  return object.is_object() && object.contains(key) && object[key].is_number_unsigned();
}

// The content of COMPLETE; null if it is not there or damaged.
ordered_json note_of(const fs::path& folder) {
  std::error_code ignored;
  if (!fs::is_regular_file(folder / "COMPLETE", ignored)) return nullptr;
  ordered_json note = ordered_json::parse(read_file(folder / "COMPLETE"), nullptr, false);
  const bool sound = note.is_object() &&
                     note.value("format", ordered_json()) == kCheckpointFormat &&
                     is_count(note, "version") && is_count(note, "step") &&
                     note.contains("files") && note["files"].is_object();
  return sound ? note : ordered_json();
}

// Why the folder is not a complete checkpoint, or "". Looks at sizes, reads no content.
std::string incomplete_because(const fs::path& folder) {
  std::error_code ignored;
  if (!fs::is_regular_file(folder / "COMPLETE", ignored)) return "it has no file COMPLETE";
  const ordered_json note = note_of(folder);
  if (note.is_null()) return "its file COMPLETE is damaged";
  if (note["version"] == 0 || note["version"] > kCompleteVersion)
    return concat("its version ", note["version"].dump(),
                  " is unknown here; this build reads 1 to ", kCompleteVersion);
  const auto step = step_of(folder);
  if (step && note["step"] != *step)
    return concat("its file COMPLETE is of step ", note["step"].dump());
  for (const auto& [name, file] : note["files"].items()) {
    const ordered_json size = file.is_object() ? file.value("bytes", ordered_json()) : file;
    const std::uintmax_t found = fs::file_size(folder / name, ignored);
    if (ignored) return concat("its file ", name, " is missing");
    if (size != found)
      return concat("its file ", name, " has ", found, " of ", size.dump(), " bytes");
  }
  return "";
}

// The same with the content of every file.
std::string damaged_because(const fs::path& folder) {
  std::string why = incomplete_because(folder);
  if (!why.empty()) return why;
  const ordered_json note = note_of(folder);
  if (note["version"] == 1) return "";
  for (const auto& [name, file] : note["files"].items())
    if (!is_count(file, "crc32c") || file["crc32c"] != file_crc32c(folder / name))
      return concat("its file ", name, " is damaged: the checksum differs");
  return "";
}

std::string skipped(const fs::path& folder, const std::string& why) {
  return concat("checkpoint ", folder.string(), " is skipped: ", why);
}

[[noreturn]] void fail(const fs::path& path, const std::error_code& reason) {
  throw Error(ErrorKind::Model, path.string(), concat("cannot be written: ", reason.message()),
              "earlier checkpoints are intact");
}

void rename_or_fail(const fs::path& from, const fs::path& to) {
  std::error_code reason;
  fs::rename(from, to, reason);
  if (reason) fail(to, reason);
}

}  // namespace

std::string CheckpointFolder::blob(std::string_view name) const { return read_file(path / name); }

CheckpointWriter::CheckpointWriter(fs::path run, std::uint64_t step)
    : run_(std::move(run)), aside_(run_ / concat(kAsidePrefix, step, ".partial")), step_(step) {
  std::error_code reason;
  fs::remove_all(aside_, reason);
  if (!reason) fs::create_directory(aside_, reason);
  if (reason) fail(aside_, reason);
}

CheckpointWriter::CheckpointWriter(CheckpointWriter&& other) noexcept
    : run_(std::move(other.run_)), aside_(std::exchange(other.aside_, {})), step_(other.step_) {}

CheckpointWriter::~CheckpointWriter() {
  std::error_code ignored;
  if (!aside_.empty()) fs::remove_all(aside_, ignored);
}

void CheckpointWriter::blob(std::string_view name, std::string_view bytes) {
  write_synced_file(aside_ / name, bytes);
}

CheckpointFolder CheckpointWriter::commit() {
  if (aside_.empty())
    throw Error(ErrorKind::Internal, "CheckpointWriter::commit", "it was committed before");
  sync_tree(aside_);
  const ordered_json note = {{"format", kCheckpointFormat},
                             {"version", kCompleteVersion},
                             {"step", step_},
                             {"files", file_sums(aside_)}};
  write_synced_file(aside_ / "COMPLETE", note.dump(1) + "\n");
  sync_path(aside_);

  const fs::path place = run_ / folder_name(step_);
  const fs::path old = run_ / concat(kAsidePrefix, step_, ".old");
  const bool replaces = fs::exists(place);
  if (replaces)
    rename_or_fail(place, old);  // clear_unfinished_checkpoints undoes this after a crash
  rename_or_fail(aside_, place);
  aside_.clear();
  sync_path(run_);
  replace_file(run_ / "latest", folder_name(step_) + "\n");
  std::error_code ignored;
  if (replaces) fs::remove_all(old, ignored);
  return {place, step_};
}

CheckpointList list_checkpoints(const fs::path& run) {
  CheckpointList list;
  std::error_code reason;
  for (const auto& entry : fs::directory_iterator(run, reason)) {
    const auto step = step_of(entry.path());
    if (!step || !entry.is_directory()) continue;
    const std::string why = incomplete_because(entry.path());
    if (why.empty())
      list.complete.push_back({entry.path(), *step});
    else
      list.warnings.push_back(skipped(entry.path(), why));
  }
  std::sort(list.complete.begin(), list.complete.end(),
            [](const auto& a, const auto& b) { return a.step < b.step; });
  std::sort(list.warnings.begin(), list.warnings.end());
  return list;
}

CheckpointFolder open_checkpoint(const fs::path& path) {
  std::error_code ignored;
  const fs::path folder = path.has_filename() ? path : path.parent_path();  // "x/" is "x"
  if (!fs::is_directory(folder, ignored))
    throw Error(ErrorKind::Model, path.string(), "there is no such checkpoint folder",
                "name a folder checkpoint-N of a run");
  const std::string why = damaged_because(folder);
  if (!why.empty())
    throw Error(ErrorKind::Model, path.string(), concat("the checkpoint is not complete: ", why),
                "take an older one of the same run");
  return {folder, note_of(folder)["step"].get<std::uint64_t>()};
}

std::optional<CheckpointFolder> newest_sound_checkpoint(const fs::path& run,
                                                        std::vector<std::string>& warnings) {
  CheckpointList list = list_checkpoints(run);
  warnings.insert(warnings.end(), list.warnings.begin(), list.warnings.end());
  for (; !list.complete.empty(); list.complete.pop_back()) {
    const CheckpointFolder& newest = list.complete.back();
    const std::string why = damaged_because(newest.path);
    if (why.empty()) return newest;
    warnings.push_back(skipped(newest.path, why));
  }
  return std::nullopt;
}

void retain_checkpoints(const fs::path& run, std::size_t keep) {
  const CheckpointList list = list_checkpoints(run);
  const std::size_t excess = list.complete.size() - std::min(keep, list.complete.size());
  for (std::size_t i = 0; i < excess; ++i) {
    // Without COMPLETE first: a removal that is interrupted leaves a folder that is skipped.
    std::error_code reason;
    fs::remove(list.complete[i].path / "COMPLETE", reason);
    if (!reason) fs::remove_all(list.complete[i].path, reason);
    if (reason) fail(list.complete[i].path, reason);
  }
}

void clear_unfinished_checkpoints(const fs::path& run) {
  std::vector<fs::path> found;
  for (const auto& entry : fs::directory_iterator(run))
    if (entry.path().filename().string().rfind(kAsidePrefix, 0) == 0) found.push_back(entry.path());
  for (const fs::path& path : found) {
    std::error_code reason;
    const fs::path place = run / path.stem().string().substr(1);
    if (path.extension() == ".old" && !fs::exists(place))
      fs::rename(path, place, reason);  // killed between the two renames of commit()
    else
      fs::remove_all(path, reason);
    if (reason) fail(path, reason);
  }
}

}  // namespace allot

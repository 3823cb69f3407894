// Checkpoint folders of a run: written aside, renamed into place, complete or not there.
//
//   CheckpointWriter writer(run_path, step);
//   model.save(writer.path());                  // other rooms write their files
//   writer.blob("controller.bin", controller.save(hash));
//   writer.commit();                            // COMPLETE, rename, `latest`
//
// checkpoint-N holds the state after N completed steps, so N is the number of the next step.
// COMPLETE is the last file written; it lists every other file with its size and checksum, so that
// a folder that was copied or written in part, or damaged later, is recognised. Formats:
// docs/formats.md.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace allot {

struct CheckpointFolder {
  std::filesystem::path path;
  std::uint64_t step = 0;

  // Content of one of its files. Throws Error(Model) naming the path if it cannot be read.
  std::string blob(std::string_view name) const;
};

struct CheckpointList {
  std::vector<CheckpointFolder> complete;  // ascending steps
  std::vector<std::string> warnings;       // one per folder skipped, with the reason
};

// One checkpoint being written. Destroyed without commit(), it leaves nothing behind.
class CheckpointWriter {
 public:
  CheckpointWriter(std::filesystem::path run, std::uint64_t step);
  ~CheckpointWriter();
  CheckpointWriter(CheckpointWriter&& other) noexcept;
  CheckpointWriter& operator=(CheckpointWriter&&) = delete;

  const std::filesystem::path& path() const { return aside_; }  // fill this folder
  void blob(std::string_view name, std::string_view bytes);

  // Syncs all files, writes COMPLETE, renames into place, then points `latest` at it. A checkpoint
  // of the same step is replaced.
  CheckpointFolder commit();

 private:
  std::filesystem::path run_, aside_;
  std::uint64_t step_;
};

// By sizes; the content is not read.
CheckpointList list_checkpoints(const std::filesystem::path& run);

// The newest checkpoint whose every byte is as it was written; warnings about those skipped, whole
// or not, are appended.
std::optional<CheckpointFolder> newest_sound_checkpoint(const std::filesystem::path& run,
                                                        std::vector<std::string>& warnings);

// A folder named by the user. Throws Error(Model) with the reason if it is not complete or damaged.
CheckpointFolder open_checkpoint(const std::filesystem::path& path);

// Removes all but the newest `keep` complete checkpoints.
void retain_checkpoints(const std::filesystem::path& run, std::size_t keep);

// Clears what an interrupted writer left; for the owner of the run's lock only.
void clear_unfinished_checkpoints(const std::filesystem::path& run);

}  // namespace allot

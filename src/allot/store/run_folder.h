// The folder of one run, runs/NAME/: its lock, its configuration, its checkpoints.
//
//   RunFolder folder = RunFolder::open("runs/digits");        // made if it is not there
//   RunFolder folder = RunFolder::create_fresh("runs/digits"); // runs/digits-2 if taken, ...
//
// One process writes a run at a time: the folder holds an advisory lock (flock on `.lock`) while a
// RunFolder lives. The system drops it when the process dies, so there are no stale locks. Reading
// (run_reader.h) needs no lock. Not thread-safe.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "allot/core/durable_file.h"
#include "allot/store/checkpoint.h"

namespace allot {

using RunFolderPath = std::filesystem::path;

// Makes the first free of PATH, PATH-2, PATH-3, ...; throws Error(Model).
RunFolderPath make_fresh_folder(const RunFolderPath& path);

class RunFolder {
 public:
  // Opens a run, or makes its folder and the parents. Throws Error(Model): another process writes
  // it, the folder cannot be written, or it exists and holds something that is not a run.
  static RunFolder open(const RunFolderPath& path);

  // In a new folder of make_fresh_folder().
  static RunFolder create_fresh(const RunFolderPath& path);

  const RunFolderPath& path() const { return path_; }
  std::string name() const { return path_.filename().string(); }

  // config.yaml as given and config.expanded.yaml, both replaced atomically.
  void write_config(std::string_view given, std::string_view expanded);
  std::optional<std::string> expanded_config() const;  // nullopt before the first write_config

  CheckpointWriter begin_checkpoint(std::uint64_t step) { return {path_, step}; }
  CheckpointList checkpoints() const { return list_checkpoints(path_); }
  // Warnings about skipped folders are appended to `warnings`.
  std::optional<CheckpointFolder> newest_checkpoint(std::vector<std::string>& warnings) const;
  void retain_checkpoints(std::size_t keep) { allot::retain_checkpoints(path_, keep); }

  // True if PATH is a folder that a run has been written into.
  static bool is_run(const RunFolderPath& path);

 private:
  RunFolder(RunFolderPath path, FileHandle lock);

  RunFolderPath path_;
  FileHandle lock_;
};

}  // namespace allot

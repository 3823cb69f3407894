// Checkpoints: complete or not there, whatever happens while they are written.
#include "allot/store/checkpoint.h"

#include <cctype>
#include <csignal>
#include <fstream>

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "allot/core/durable_file.h"
#include "allot/core/error.h"
#include "allot/core/testing/temporary_folder.h"
#include "allot/store/run_folder.h"

namespace allot {
namespace {

namespace fs = std::filesystem;
using testing::TemporaryFolder;

void write_checkpoint(const fs::path& run, std::uint64_t step, const std::string& content) {
  CheckpointWriter writer(run, step);
  writer.blob("controller.bin", content);
  fs::create_directory(writer.path() / "sub");
  std::ofstream(writer.path() / "sub" / "model.bin") << content << content;
  writer.commit();
}

std::vector<std::uint64_t> steps_of(const fs::path& run) {
  std::vector<std::uint64_t> steps;
  for (const auto& checkpoint : list_checkpoints(run).complete) steps.push_back(checkpoint.step);
  return steps;
}

TEST(Checkpoint, IsReadBackAndNamedByLatest) {
  TemporaryFolder run;
  write_checkpoint(run.path(), 5, "five");
  write_checkpoint(run.path(), 10, std::string("t\0n", 3));
  EXPECT_EQ(steps_of(run.path()), (std::vector<std::uint64_t>{5, 10}));
  const CheckpointFolder newest = list_checkpoints(run.path()).complete.back();
  EXPECT_EQ(newest.blob("controller.bin"), std::string("t\0n", 3));
  EXPECT_EQ(read_file(run / "latest"), "checkpoint-10\n");
  EXPECT_EQ(open_checkpoint(run / "checkpoint-5/").step, 5u);
  EXPECT_THROW(newest.blob("no_such_file"), Error);
}

TEST(Checkpoint, ReplacesOneOfTheSameStep) {
  TemporaryFolder run;
  write_checkpoint(run.path(), 3, "old");
  write_checkpoint(run.path(), 3, "new");
  EXPECT_EQ(open_checkpoint(run / "checkpoint-3").blob("controller.bin"), "new");
  EXPECT_FALSE(fs::exists(run / ".checkpoint-3.old"));
}

TEST(Checkpoint, WithoutCommitLeavesNothing) {
  TemporaryFolder run;
  { CheckpointWriter(run.path(), 1).blob("a", "b"); }
  EXPECT_TRUE(fs::is_empty(run.path()));
}

TEST(Checkpoint, PartialFoldersAreSkippedWithTheReason) {
  TemporaryFolder run;
  for (int step : {1, 2, 3, 4, 5}) write_checkpoint(run.path(), step, "content");
  fs::remove(run / "checkpoint-2" / "COMPLETE");
  fs::resize_file(run / "checkpoint-3" / "sub" / "model.bin", 4);
  fs::remove(run / "checkpoint-4" / "controller.bin");
  std::ofstream(run / "checkpoint-5" / "COMPLETE")
      << "{\"format\":\"allot.checkpoint\",\"version\":99,\"step\":5,\"files\":{}}";
  const CheckpointList list = list_checkpoints(run.path());
  EXPECT_EQ(steps_of(run.path()), std::vector<std::uint64_t>{1});
  ASSERT_EQ(list.warnings.size(), 4u);
  EXPECT_NE(list.warnings[0].find("no file COMPLETE"), std::string::npos);
  EXPECT_NE(list.warnings[1].find("has 4 of 14 bytes"), std::string::npos);
  EXPECT_NE(list.warnings[2].find("controller.bin is missing"), std::string::npos);
  EXPECT_NE(list.warnings[3].find("version 99 is unknown"), std::string::npos);
  EXPECT_THROW(open_checkpoint(run / "checkpoint-3"), Error);
  EXPECT_THROW(open_checkpoint(run / "checkpoint-77"), Error);
}

TEST(Checkpoint, EveryTruncationOfCompleteIsRefused) {
  TemporaryFolder run;
  write_checkpoint(run.path(), 1, "content");
  const std::string whole = read_file(run / "checkpoint-1" / "COMPLETE");
  // Without the final newline the note is still whole.
  for (std::size_t n = 0; n + 1 < whole.size(); ++n) {
    write_synced_file(run / "checkpoint-1" / "COMPLETE", whole.substr(0, n));
    EXPECT_TRUE(steps_of(run.path()).empty()) << n;
  }
}

// Every byte of every file, with every bit in turn: none is taken, and the one before stands in.
TEST(Checkpoint, NoFlippedBitIsTaken) {
  TemporaryFolder run;
  write_checkpoint(run.path(), 1, "before");
  write_checkpoint(run.path(), 12, "content");
  const fs::path folder = run / "checkpoint-12";
  int flips = 0;
  for (const char* file : {"COMPLETE", "controller.bin", "sub/model.bin"}) {
    const std::string whole = read_file(folder / file);
    for (std::size_t i = 0; i < whole.size(); ++i) {
      std::string damaged = whole;
      damaged[i] = static_cast<char>(damaged[i] ^ (1 << (i % 8)));
      write_synced_file(folder / file, damaged);
      std::vector<std::string> warnings;
      const auto found = newest_sound_checkpoint(run.path(), warnings);
      ASSERT_TRUE(found);
      const bool only_layout = found->step == 12;  // a blank of COMPLETE became another one
      EXPECT_TRUE(only_layout ? std::isspace(whole[i]) != 0 : warnings.size() == 1u)
          << file << " byte " << i;
      flips += !only_layout;
    }
    write_synced_file(folder / file, whole);
  }
  EXPECT_GT(flips, 200);
  EXPECT_EQ(open_checkpoint(folder).step, 12u);
}

TEST(Checkpoint, OfVersion1IsReadByItsSizes) {
  TemporaryFolder run;
  write_checkpoint(run.path(), 5, "five");
  std::ofstream(run / "checkpoint-5" / "COMPLETE")
      << R"({"format":"allot.checkpoint","version":1,"step":5,)"
      << R"("files":{"controller.bin":4,"sub/model.bin":8}})";
  EXPECT_EQ(open_checkpoint(run / "checkpoint-5").step, 5u);
  fs::resize_file(run / "checkpoint-5" / "controller.bin", 3);
  EXPECT_THROW(open_checkpoint(run / "checkpoint-5"), Error);
}

TEST(Checkpoint, RetentionKeepsTheNewest) {
  TemporaryFolder run;
  for (int step : {1, 2, 9, 10, 11}) write_checkpoint(run.path(), step, "x");
  fs::remove(run / "checkpoint-11" / "COMPLETE");  // does not count
  retain_checkpoints(run.path(), 2);
  EXPECT_EQ(steps_of(run.path()), (std::vector<std::uint64_t>{9, 10}));
  retain_checkpoints(run.path(), 50);
  EXPECT_EQ(steps_of(run.path()), (std::vector<std::uint64_t>{9, 10}));
}

TEST(Checkpoint, ACrashBetweenTheRenamesIsUndone) {
  TemporaryFolder run;
  write_checkpoint(run.path(), 3, "old");
  fs::rename(run / "checkpoint-3", run / ".checkpoint-3.old");
  fs::create_directory(run / ".checkpoint-3.partial");
  clear_unfinished_checkpoints(run.path());
  EXPECT_EQ(open_checkpoint(run / "checkpoint-3").blob("controller.bin"), "old");
  EXPECT_FALSE(fs::exists(run / ".checkpoint-3.partial"));
}

// The child may write files of at most 4 KiB; then the kernel refuses, as on a full disk.
TEST(Checkpoint, AFullDiskKeepsThePreviousOne) {
  TemporaryFolder run;
  write_checkpoint(run.path(), 1, "first");
  const pid_t child = ::fork();
  if (child == 0) {
    ::signal(SIGXFSZ, SIG_IGN);
    const rlimit limit{4096, 4096};
    ::setrlimit(RLIMIT_FSIZE, &limit);
    try {
      write_checkpoint(run.path(), 2, std::string(100000, 'x'));
    } catch (const Error& error) {
      ::_exit(error.kind() == ErrorKind::Model ? 4 : 1);
    }
    ::_exit(0);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  ASSERT_TRUE(WIFEXITED(status));
  EXPECT_EQ(WEXITSTATUS(status), 4);
  EXPECT_EQ(steps_of(run.path()), std::vector<std::uint64_t>{1});
  EXPECT_EQ(read_file(run / "latest"), "checkpoint-1\n");
  EXPECT_FALSE(fs::exists(run / ".checkpoint-2.partial"));
}

TEST(RunFolder, NamesFreshFolders) {
  TemporaryFolder runs;
  const RunFolder a = RunFolder::create_fresh(runs / "digits");
  const RunFolder b = RunFolder::create_fresh(runs / "digits");
  const RunFolder c = RunFolder::create_fresh(runs / "digits/");
  EXPECT_EQ(a.name(), "digits");
  EXPECT_EQ(b.name(), "digits-2");
  EXPECT_EQ(c.name(), "digits-3");
  EXPECT_TRUE(RunFolder::is_run(a.path()));
}

TEST(RunFolder, HasOneWriter) {
  TemporaryFolder runs;
  {
    const RunFolder writer = RunFolder::open(runs / "deep" / "run");
    try {
      RunFolder::open(runs / "deep" / "run/");
      FAIL() << "a second writer was let in";
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::Model);
      EXPECT_NE(std::string(error.what()).find("another process is writing"), std::string::npos);
    }
    const pid_t child = ::fork();
    if (child == 0) {
      try {
        RunFolder::open(runs / "deep" / "run");
      } catch (const Error&) {
        ::_exit(4);
      }
      ::_exit(0);
    }
    int status = 0;
    ::waitpid(child, &status, 0);
    EXPECT_EQ(WEXITSTATUS(status), 4);
  }
  RunFolder::open(runs / "deep" / "run");  // the lock went with its owner
}

TEST(RunFolder, RefusesAFolderOfSomethingElse) {
  TemporaryFolder runs;
  fs::create_directory(runs / "photos");
  std::ofstream(runs / "photos" / "cat.jpg") << "x";
  EXPECT_THROW(RunFolder::open(runs / "photos"), Error);
  EXPECT_THROW(RunFolder::open(runs / "photos" / "cat.jpg"), Error);
  EXPECT_FALSE(fs::exists(runs / "photos" / ".lock"));
}

TEST(RunFolder, KeepsItsConfiguration) {
  TemporaryFolder runs;
  RunFolder run = RunFolder::open(runs / "a folder with spaces");
  EXPECT_FALSE(run.expanded_config().has_value());
  run.write_config("a: 1\n", "a: 1\nb: 2\n");
  run.write_config("a: 3\n", "a: 3\nb: 2\n");
  EXPECT_EQ(run.expanded_config(), "a: 3\nb: 2\n");
  EXPECT_EQ(read_file(run.path() / "config.yaml"), "a: 3\n");
}

TEST(RunFolder, OpeningClearsUnfinishedCheckpoints) {
  TemporaryFolder runs;
  {
    RunFolder run = RunFolder::open(runs / "r");
    fs::create_directory(run.path() / ".checkpoint-7.partial");
  }
  RunFolder run = RunFolder::open(runs / "r");
  EXPECT_FALSE(fs::exists(run.path() / ".checkpoint-7.partial"));
  std::vector<std::string> warnings;
  EXPECT_FALSE(run.newest_checkpoint(warnings).has_value());
  fs::create_directory(run.path() / "checkpoint-4");
  EXPECT_FALSE(run.newest_checkpoint(warnings).has_value());
  EXPECT_EQ(warnings.size(), 1u);
}

}  // namespace
}  // namespace allot

// Run folders whose bytes were damaged at random places: an error that says so, or a run that goes
// on; never a crash, and never a checkpoint that is taken for sound and is not.
#include <gtest/gtest.h>

#include "allot/core/durable_file.h"
#include "allot/core/error.h"
#include "allot/core/random.h"
#include "allot/core/testing/temporary_folder.h"
#include "allot/store/metrics_log.h"
#include "allot/store/run_reader.h"
#include "allot/store/run_recorder.h"
#include "allot/store/testing/synthetic_run.h"

namespace allot {
namespace {

namespace fs = std::filesystem;
using testing::SyntheticRun;
using testing::TemporaryFolder;

class Damage : public ::testing::Test {
 protected:
  void SetUp() override {
    run_.steps = 4;
    write_synthetic_run(run_, folder_ / "r");
    database_ = read_file(folder_ / "r" / "run.sqlite");
    RunFolder run = RunFolder::open(folder_ / "r");
    CheckpointWriter writer = run.begin_checkpoint(4);
    writer.blob("controller.bin", "state");
    writer.commit();
  }

  void set_database(const std::string& bytes) {
    for (const char* more : {"-wal", "-shm"}) fs::remove(folder_ / concat("r/run.sqlite", more));
    write_synced_file(folder_ / "r" / "run.sqlite", bytes);
  }
  // Everything a reader can ask for.
  void read_all() const {
    const RunReader reader(folder_ / "r");
    reader.facts();
    reader.status();
    reader.steps();
    reader.evaluations();
    for (const std::string& metric : reader.metric_names()) reader.series(metric);
    reader.zero_causes();
    reader.rollouts_per_prompt();
    reader.samples(5);
    reader.events();
  }
  void go_on() {
    SyntheticRun longer = run_;
    longer.steps = 5;
    write_synthetic_run(longer, folder_ / "r", 4);
  }
  // Counts the refusals; anything but Error(Model) fails the test.
  template <class Call>
  void try_out(Call call) {
    try {
      call();
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::Model) << error.what();
      ++refused_;
    }
  }
  void expect_checkpoint() const {
    EXPECT_EQ(open_checkpoint(folder_ / "r" / "checkpoint-4").blob("controller.bin"), "state");
  }

  SyntheticRun run_;
  TemporaryFolder folder_;
  std::string database_;
  int refused_ = 0;
};

TEST_F(Damage, OfTheDatabaseAtRandomPlacesIsNoCrash) {
  RandomStream random({11, RandomUse::Test});
  for (int trial = 0; trial < 30; ++trial) {
    std::string hurt = database_;
    for (int i = 0; i < 1 + trial; ++i) {
      char& byte = hurt[random.below(hurt.size())];
      byte = static_cast<char>(byte ^ (1 + random.below(255)));
    }
    set_database(hurt);
    try_out([&] { read_all(); });
    try_out([&] { go_on(); });
    expect_checkpoint();
  }
  EXPECT_GT(refused_, 15);
}

TEST_F(Damage, OfTheDatabaseByATruncationIsSaid) {
  RandomStream random({12, RandomUse::Test});
  for (int trial = 0; trial < 10; ++trial) {
    set_database(database_.substr(0, 1 + random.below(database_.size() - 1)));
    refused_ = 0;
    try_out([&] { go_on(); });
    EXPECT_EQ(refused_, 1) << trial;
    expect_checkpoint();
  }
}

TEST_F(Damage, OfMetricsIsSaidWithItsLine) {
  const std::string whole = read_file(folder_ / "r" / "metrics.jsonl");
  RandomStream random({13, RandomUse::Test});
  for (int trial = 0; trial < 50; ++trial) {
    std::string hurt = whole;
    char& byte = hurt[random.below(hurt.size())];
    byte = static_cast<char>(byte ^ (1 + random.below(255)));
    write_synced_file(folder_ / "r" / "metrics.jsonl", hurt);
    try_out([&] { read_metrics_log(folder_ / "r" / "metrics.jsonl"); });
    try_out([&] { MetricsLog(folder_ / "r" / "metrics.jsonl", 2); });
  }
  EXPECT_GT(refused_, 20);
}

}  // namespace
}  // namespace allot

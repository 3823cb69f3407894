// metrics.jsonl: numbers come back exactly, torn lines are tolerated, damaged ones are named.
#include "allot/store/metrics_log.h"

#include <bit>
#include <cmath>
#include <fstream>
#include <limits>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "allot/core/error.h"
#include "allot/core/random.h"
#include "allot/core/testing/temporary_folder.h"

namespace allot {
namespace {

namespace fs = std::filesystem;
using testing::TemporaryFolder;
using Kind = MetricsLine::Kind;

MetricsLine step_line(std::uint64_t step, double value) {
  return {Kind::Step, step, {{"reward/mean", value}}};
}

TEST(MetricsLog, EveryDoubleReadsBackTheSame) {
  TemporaryFolder folder;
  std::vector<double> values = {0.0,
                                -0.0,
                                1.0,
                                0.1,
                                1e300,
                                5e-324,
                                0x1p53,
                                0x1p60,
                                -3.0,
                                1.0 / 3,
                                std::numeric_limits<double>::infinity(),
                                -std::numeric_limits<double>::infinity(),
                                std::numeric_limits<double>::quiet_NaN()};
  RandomStream random({1, RandomUse::Test});
  for (int i = 0; i < 500; ++i) {
    const auto bits = (std::uint64_t{random.bits()} << 32) | random.bits();
    const double value = std::bit_cast<double>(bits);
    if (std::isfinite(value)) values.push_back(value);
  }
  {
    MetricsLog log(folder / "m.jsonl", 0);
    for (std::size_t i = 0; i < values.size(); ++i) log.append(step_line(i, values[i]));
    log.sync();
  }
  const auto lines = read_metrics_log(folder / "m.jsonl");
  ASSERT_EQ(lines.size(), values.size());
  for (std::size_t i = 0; i < values.size(); ++i) {
    const double read = lines[i].metrics.at(0).value;
    if (std::isnan(values[i]))
      EXPECT_TRUE(std::isnan(read));
    else
      EXPECT_EQ(std::bit_cast<std::uint64_t>(read), std::bit_cast<std::uint64_t>(values[i])) << i;
  }
}

TEST(MetricsLog, EveryLineIsPlainJsonAndTheFirstNamesTheVersion) {
  TemporaryFolder folder;
  {
    MetricsLog log(folder / "m.jsonl", 0);
    log.append({Kind::Evaluation, 0, {{"eval/test/pass@1", 0.25}}});
    log.append({Kind::Step, 0, {{"a\"b\xff", std::nan("")}, {"count", 7}, {"train/step", 99}}});
  }
  std::ifstream file(folder / "m.jsonl");
  std::string line;
  std::getline(file, line);
  EXPECT_EQ(nlohmann::json::parse(line)["version"], 2);
  std::getline(file, line);
  EXPECT_EQ(line, R"({"eval/step":0,"eval/test/pass@1":0.25})");
  std::getline(file, line);
  const auto object = nlohmann::json::parse(line);
  EXPECT_EQ(object["train/step"], 0);
  EXPECT_TRUE(object["count"].is_number_integer());
  EXPECT_FALSE(object.contains("loss/total"));  // absent stays absent
  EXPECT_EQ(object.size(), 3u);
}

TEST(MetricsLog, AnyTruncationReadsAsAPrefixAndResumesCleanly) {
  TemporaryFolder folder;
  {
    MetricsLog log(folder / "whole.jsonl", 0);
    for (int step = 0; step < 2; ++step) log.append(step_line(step, step + 0.5));
  }
  const std::string whole = read_file(folder / "whole.jsonl");
  for (std::size_t n = 0; n <= whole.size(); ++n) {
    write_synced_file(folder / "cut.jsonl", whole.substr(0, n));
    const auto lines = read_metrics_log(folder / "cut.jsonl");
    for (std::size_t i = 0; i < lines.size(); ++i) EXPECT_EQ(lines[i].step, i);
    const std::uint64_t next = lines.size();
    {
      MetricsLog log(folder / "cut.jsonl", next);
      for (std::uint64_t step = next; step < 2; ++step) log.append(step_line(step, step + 0.5));
    }
    EXPECT_EQ(read_file(folder / "cut.jsonl"), whole) << "cut at " << n;
  }
}

TEST(MetricsLog, ResumeForgetsLaterStepsAndKeepsTheEvaluationAtTheBoundary) {
  TemporaryFolder folder;
  {
    MetricsLog log(folder / "m.jsonl", 0);
    for (std::uint64_t step = 0; step < 6; ++step) {
      if (step % 2 == 0) log.append({Kind::Evaluation, step, {{"eval/test/pass@1", 0.5}}});
      log.append(step_line(step, 1));
    }
  }
  { MetricsLog log(folder / "m.jsonl", 4); }
  std::vector<std::pair<Kind, std::uint64_t>> found;
  for (const auto& line : read_metrics_log(folder / "m.jsonl"))
    found.emplace_back(line.kind, line.step);
  const std::vector<std::pair<Kind, std::uint64_t>> expected = {
      {Kind::Evaluation, 0}, {Kind::Step, 0}, {Kind::Step, 1},      {Kind::Evaluation, 2},
      {Kind::Step, 2},       {Kind::Step, 3}, {Kind::Evaluation, 4}};
  EXPECT_EQ(found, expected);
}

void expect_refused(const std::string& content, const std::string& words) {
  TemporaryFolder folder;
  write_synced_file(folder / "m.jsonl", content);
  try {
    MetricsLog log(folder / "m.jsonl", 10);
    FAIL() << "accepted: " << content;
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::Model);
    EXPECT_NE(std::string(error.what()).find(words), std::string::npos) << error.what();
  }
  EXPECT_EQ(read_file(folder / "m.jsonl"), content);  // untouched
}

TEST(MetricsLog, RefusesWhatItDoesNotKnow) {
  const std::string header = "{\"format\":\"allot.metrics\",\"version\":2}\n";
  expect_refused("{\"format\":\"allot.metrics\",\"version\":3}\n", "version 3 is unknown");
  expect_refused("{\"step\":1}\n", "line 1");
  expect_refused("\n", "line 1");
  expect_refused(header + "{\"train/step\":0}\nnonsense\n{\"train/step\":1}\n",
                 "line 3 is damaged");
  expect_refused(header + "{\"train/step\":-1}\n", "line 2 is damaged");
  expect_refused(header + "{\"train/step\":0,\"a\":[1]}\n", "line 2 is damaged");
}

TEST(MetricsLog, OfVersion1GoesOnAsVersion2) {
  TemporaryFolder folder;
  const std::string step = "{\"train/step\":0,\"total/step_s\":0.5}\n";
  write_synced_file(folder / "m.jsonl", "{\"format\":\"allot.metrics\",\"version\":1}\n" + step);
  EXPECT_EQ(read_metrics_log(folder / "m.jsonl").size(), 1u);
  { MetricsLog log(folder / "m.jsonl", 1); }
  EXPECT_EQ(read_file(folder / "m.jsonl"), "{\"format\":\"allot.metrics\",\"version\":2}\n" + step);
}

TEST(MetricsLog, AFullDiskIsAnErrorNotALoss) {
  EXPECT_THROW(AppendFile("/dev/full").append("x"), Error);
  try {
    AppendFile("/dev/full").append("x");
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::Model);
    EXPECT_NE(std::string(error.what()).find("No space left"), std::string::npos);
  }
}

}  // namespace
}  // namespace allot

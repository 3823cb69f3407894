// Event files: against bytes worked out by hand from the format, and cut at every place.
#include "allot/store/tensorboard_log.h"

#include <cmath>
#include <limits>

#include <gtest/gtest.h>

#include "allot/core/testing/temporary_folder.h"
#include "allot/store/crc32c.h"

namespace allot {
namespace {

namespace fs = std::filesystem;
using testing::TemporaryFolder;

using Kind = MetricsLine::Kind;

constexpr const char* kName = "events.out.tfevents.0.allot";

std::string content(const TemporaryFolder& folder) { return read_file(folder / kName); }

// Bytes 8..11 of a file: the masked checksum of the first length.
TEST(TensorboardLog, FramesRecordsAsTensorFlowDoes) {
  TemporaryFolder folder;
  { TensorboardLog log(folder.path(), {}); }
  const std::string file = content(folder);
  // Event of 24 bytes: tag 1 and a double (9), tag 3, length and "brain.Event:2" (15).
  ASSERT_EQ(file.size(), 8u + 4 + 24 + 4);
  EXPECT_EQ(file.substr(0, 8), std::string("\x18\0\0\0\0\0\0\0", 8));
  // TensorFlow's own files begin with these twelve bytes: the length 24 and its checksum.
  EXPECT_EQ(file.substr(8, 4), "\xa3\x7f\x4b\x22");
  EXPECT_EQ(file[12], '\x09');  // field 1, 64 bits: wall_time
  EXPECT_EQ(file.substr(21, 15),
            "\x1a\x0d"
            "brain.Event:2");  // field 3, 13 bytes
}

TEST(TensorboardLog, WritesScalarsAsProtobuf) {
  TemporaryFolder folder;
  {
    TensorboardLog log(folder.path(), {});
    log.append({Kind::Step, 299, {{"a/b", 0.5}}});
  }
  const std::string event = content(folder).substr(40 + 12);
  EXPECT_EQ(event[0], '\x09');
  // step 300 as varint; summary of 12 bytes: value of 10: tag "a/b", simple_value 0.5f.
  const std::string expected = std::string("\x10\xac\x02\x2a\x0c\x0a\x0a\x0a\x03", 9) + "a/b" +
                               std::string("\x15\0\0\0\x3f", 5);
  EXPECT_EQ(event.substr(9, event.size() - 9 - 4), expected);
}

TEST(TensorboardLog, ReadsBackWhatWasWritten) {
  TemporaryFolder folder;
  {
    TensorboardLog log(folder.path(), {});
    log.append({Kind::Step, 0, {{"x", 1.0 / 3}, {"nan", std::nan("")}, {"big", 1e300}}});
    log.append({Kind::Evaluation, 2, {}});
  }
  const std::string file = content(folder);
  const auto events = parse_tensorboard_events(file);
  ASSERT_EQ(events.size(), 3u);
  EXPECT_EQ(events[0].file_version, "brain.Event:2");
  EXPECT_GT(events[0].wall_time, 1.6e9);
  EXPECT_EQ(events[1].step, 1);
  ASSERT_EQ(events[1].scalars.size(), 3u);
  EXPECT_EQ(events[1].scalars[0].value, double{1.0f / 3});
  EXPECT_TRUE(std::isnan(events[1].scalars[1].value));
  EXPECT_TRUE(std::isinf(events[1].scalars[2].value));
  EXPECT_TRUE(events[2].scalars.empty());
}

std::vector<std::int64_t> steps_of(const TemporaryFolder& folder) {
  const std::string file = content(folder);
  std::vector<std::int64_t> steps;
  for (const auto& event : parse_tensorboard_events(file))
    if (event.file_version.empty()) steps.push_back(event.step);
  return steps;
}

std::vector<MetricsLine> lines(std::uint64_t steps) {
  std::vector<MetricsLine> all;
  for (std::uint64_t step = 0; step < steps; ++step) {
    all.push_back({Kind::Evaluation, step, {{"eval/test/pass@1", 0.5}}});
    all.push_back({Kind::Step, step, {{"x", 1.0 + static_cast<double>(step)}}});
  }
  return all;
}

TEST(TensorboardLog, HasAnEventForEachLineOfTheHistory) {
  TemporaryFolder folder;
  {
    TensorboardLog log(folder.path(), {});
    for (const MetricsLine& line : lines(4)) log.append(line);
  }
  const std::string whole = content(folder);
  // Cut back; gone on with an event that was lost; started late; nothing to do.
  for (const std::uint64_t steps : {2, 3, 6, 6}) {
    { TensorboardLog log(folder.path(), lines(steps)); }
    std::vector<std::int64_t> expected;
    for (const MetricsLine& line : lines(steps))
      expected.push_back(static_cast<std::int64_t>(line.completed()));
    EXPECT_EQ(steps_of(folder), expected) << steps;
  }
  EXPECT_EQ(content(folder).substr(0, 150), whole.substr(0, 150));  // times of old events stay
}

TEST(TensorboardLog, AnyTruncationAndAnyFlippedBitKeepThePartBefore) {
  TemporaryFolder folder;
  std::vector<MetricsLine> history;
  for (std::uint64_t step = 0; step < 3; ++step)
    history.push_back({Kind::Step, step, {{"reward/mean", 0.25}}});
  { TensorboardLog log(folder.path(), history); }
  const std::string whole = content(folder);
  const auto events = parse_tensorboard_events(whole);
  ASSERT_EQ(events.size(), 4u);
  for (std::size_t n = 0; n <= whole.size(); ++n) {
    const auto found = parse_tensorboard_events(std::string_view(whole).substr(0, n));
    std::size_t complete = 0, end = 0;
    for (const auto& event : events) complete += (end += event.record.size()) <= n;
    EXPECT_EQ(found.size(), complete) << n;
    if (n == whole.size()) continue;
    std::string damaged = whole;
    damaged[n] = static_cast<char>(damaged[n] ^ (1 << (n % 8)));
    EXPECT_LT(parse_tensorboard_events(damaged).size(), events.size()) << n;
  }
  write_synced_file(folder / kName, whole.substr(0, whole.size() - 5));
  { TensorboardLog log(folder.path(), history); }
  EXPECT_EQ(steps_of(folder), (std::vector<std::int64_t>{1, 2, 3}));
}

}  // namespace
}  // namespace allot

#include "allot/remote/retry.h"

#include <gtest/gtest.h>

namespace allot::remote {
namespace {

HttpAnswer status(int code) {
  HttpAnswer answer;
  answer.end = HttpEnd::Answered;
  answer.status = code;
  return answer;
}

TEST(Retry, KnowsWhatMayPass) {
  EXPECT_EQ(verdict_of(status(200)), Verdict::Good);
  for (const int code : {408, 409, 425, 429, 500, 502, 503, 504, 599})
    EXPECT_EQ(verdict_of(status(code)), Verdict::Repeat) << code;
  for (const int code : {201, 204, 301, 400, 413, 422, 418})
    EXPECT_EQ(verdict_of(status(code)), Verdict::Refused) << code;
  EXPECT_EQ(verdict_of(status(404)), Verdict::Missing);
  for (const int code : {401, 403}) EXPECT_EQ(verdict_of(status(code)), Verdict::Denied) << code;
  EXPECT_EQ(verdict_of(HttpAnswer{}), Verdict::Repeat);
}

TEST(Retry, PausesDoubleUpToTheLongest) {
  ServerOptions options;
  options.backoff_s = 0.5;
  options.backoff_max_s = 6;
  const double full[] = {0.5, 1, 2, 4, 6, 6, 6};
  for (std::uint64_t key = 0; key < 200; ++key)
    for (std::uint32_t i = 1; i <= 7; ++i) {
      const double pause = pause_before(i, 0, key, options);
      EXPECT_GE(pause, full[i - 1] / 2);
      EXPECT_LE(pause, full[i - 1]);
      EXPECT_EQ(pause, pause_before(i, 0, key, options));
    }
  EXPECT_NE(pause_before(1, 0, 1, options), pause_before(1, 0, 2, options));
  EXPECT_LE(pause_before(1000000, 0, 1, options), 6);
  EXPECT_EQ(pause_before(1, 17, 1, options), 17);
}

}  // namespace
}  // namespace allot::remote

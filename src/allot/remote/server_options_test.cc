#include "allot/remote/server_options.h"

#include <gtest/gtest.h>

#include "allot/core/error.h"

namespace allot::remote {
namespace {

TEST(ServerOptions, KnowTheirRules) {
  ServerOptions options;
  options.validate();
  options.publish_as = "relative";
  EXPECT_THROW(options.validate(), Error);
  options.publish_as = "/shared";
  options.backoff_s = 40;
  EXPECT_THROW(options.validate(), Error);
}

}  // namespace
}  // namespace allot::remote

#include "allot/tasks/math/self_test.h"

#include <gtest/gtest.h>

namespace allot::verify {
namespace {

TEST(SelfTest, ThisBuildPasses) { self_test(); }

}  // namespace
}  // namespace allot::verify

#include "allot/tasks/math/known_pairs.h"

#include <gtest/gtest.h>

namespace allot::verify {
namespace {

TEST(KnownPairs, ThisBuildPasses) { check_known_pairs(); }

}  // namespace
}  // namespace allot::verify

#include "allot/cli/joined_flags.h"

#include <gtest/gtest.h>

namespace allot {
namespace {

std::vector<std::string> joined(const std::vector<std::string>& arguments) {
  CLI::App app{"test"};
  CLI::App* train = app.add_subcommand("train", "");
  train->allow_extras();
  train->add_option("--set");
  train->add_flag("--fresh");
  app.add_subcommand("report", "");
  std::vector<const char*> given = {"allot"};
  for (const std::string& argument : arguments) given.push_back(argument.c_str());
  return joined_flags(app, static_cast<int>(given.size()), given.data());
}
using Texts = std::vector<std::string>;

TEST(JoinedFlags, UnknownFlagsTakeTheirValue) {
  EXPECT_EQ(joined({"train", "--num_generations", "16", "run.yaml", "--a.b", "-3"}),
            (Texts{"train", "--num_generations=16", "run.yaml", "--a.b=-3"}));
}

TEST(JoinedFlags, KnownFlagsAndThoseWithoutAValueStayAsTheyAre) {
  const Texts stays = {"train", "--set", "a=1", "--fresh", "run.yaml", "--x=1", "2", "--y"};
  EXPECT_EQ(joined(stays), stays);
  const Texts lone = {"train", "--log_completions", "--fresh", "--bf16", "run.yaml"};
  EXPECT_EQ(joined(lone), lone);
}

TEST(JoinedFlags, OtherCommandsAreLeftAlone) {
  for (const Texts& stays :
       {Texts{}, Texts{"report", "--x", "1"}, Texts{"--version"}, Texts{"nothing", "--x", "1"}})
    EXPECT_EQ(joined(stays), stays);
}

}  // namespace
}  // namespace allot

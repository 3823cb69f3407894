#include "allot/local/model_options.h"

#include <gtest/gtest.h>

#include "allot/core/error.h"
#include "allot/core/testing/temporary_folder.h"
#include "allot/local/testing/small_world.h"

namespace allot {
namespace {

using testing::weights_of;

TEST(ModelOptions, SizesHaveTheirParameterCounts) {
  ModelOptions options;
  EXPECT_NEAR(static_cast<double>(options.shape(64).parameter_count()), 0.311e6, 0.001e6);
  options.size = ModelSize::M;
  EXPECT_NEAR(static_cast<double>(options.shape(64).parameter_count()), 1.588e6, 0.001e6);
  options.size = ModelSize::L;
  EXPECT_NEAR(static_cast<double>(options.shape(64).parameter_count()), 6.294e6, 0.001e6);
}

TEST(ModelOptions, GivenPartsReplaceTheSizes) {
  ModelOptions options;
  options.dim = 32;
  options.heads = 4;
  options.kv_heads = 1;
  options.layers = 1;
  options.context = 77;
  const lm::ModelConfig shape = options.shape(20);
  EXPECT_EQ(shape.head_dim, 8);
  EXPECT_EQ(shape.ffn, 256);
  EXPECT_EQ(shape.context, 77);
  EXPECT_EQ(shape.vocab, 20);
  options.head_dim = 16;
  EXPECT_EQ(options.shape(20).head_dim, 16);
}

TEST(ModelOptions, RefusesWhatDoesNotFit) {
  ModelOptions options;
  options.heads = 7;  // 96 is not divisible
  EXPECT_THROW(options.validate(), Error);
  options = {};
  options.kv_heads = 3;
  EXPECT_THROW(options.validate(), Error);
  options = {};
  options.path = "somewhere";
  options.validate();
  options.layers = 2;
  EXPECT_THROW(options.validate(), Error);
  options = {};
  options.lora.r = 4;  // of which weights?
  EXPECT_THROW(options.validate(), Error);
  options.path = "somewhere";
  options.validate();
  options.lora.targets = {"lm_head"};
  EXPECT_THROW(options.validate(), Error);
}

TEST(MakeModel, DependsOnShapeAndSeedOnly) {
  ModelOptions options;
  options.dim = 16, options.heads = 2, options.kv_heads = 1, options.layers = 1, options.ffn = 16;
  const auto first = weights_of(make_model(options, 20));
  EXPECT_EQ(weights_of(make_model(options, 20)), first);
  options.seed = 1;
  EXPECT_NE(weights_of(make_model(options, 20)), first);
}

TEST(MakeModel, LoadsAFolderAndRefusesASmallVocabulary) {
  const testing::TemporaryFolder folder;
  ModelOptions options;
  options.dim = 16, options.heads = 2, options.kv_heads = 1, options.layers = 1, options.ffn = 16;
  const lm::Model saved = make_model(options, 20);
  saved.save(folder.path());
  ModelOptions from_folder;
  from_folder.path = folder.path();
  EXPECT_EQ(weights_of(make_model(from_folder, 20)), weights_of(saved));
  EXPECT_THROW(make_model(from_folder, 21), Error);
  from_folder.path += "/absent";
  EXPECT_THROW(make_model(from_folder, 20), Error);
}

TEST(MakeModel, AnAdaptersFolderMeansItsBaseWithTheAdapter) {
  const testing::TemporaryFolder base, adapted;
  ModelOptions options;
  options.dim = 16, options.heads = 2, options.kv_heads = 1, options.layers = 1, options.ffn = 16;
  make_model(options, 20).save(base.path());
  ModelOptions trained;
  trained.path = base.path();
  EXPECT_EQ(make_adapter(trained, make_model(trained, 20)), nullptr);
  trained.lora.r = 3;
  const lm::Model model = make_model(trained, 20);
  const auto adapter = make_adapter(trained, model);
  for (const lm::NamedTensor& one : adapter->parameters()) at::Tensor(one.tensor).fill_(0.1);
  adapter->merge_into(model);
  adapter->save(adapted.path());
  ModelOptions from_adapter;
  from_adapter.path = adapted.path();
  EXPECT_EQ(base_folder(adapted.path()), base.path().string());
  EXPECT_EQ(weights_of(make_model(from_adapter, 20)), weights_of(model));
  from_adapter.lora.r = 3;
  EXPECT_THROW(from_adapter.validate(), Error);
}

}  // namespace
}  // namespace allot

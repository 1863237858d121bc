#include "common/model/base_identity.h"

#include <gtest/gtest.h>

#include "tests/common/model/scratch.h"

namespace ranktide {
namespace {

TEST(BaseIdentity, IsContentNotPlace) {
  const Scratch a, b;
  for (const Scratch* s : {&a, &b}) {
    s->put("config.json", "{}");
    s->put("model.safetensors", "weights");
    s->put("README.md", s == &a ? "this" : "that");
  }
  EXPECT_EQ(base_id_of(a.path()), base_id_of(b.path()));
  EXPECT_EQ(base_id_of(a.path()).text.size(), 64U);
}

TEST(BaseIdentity, ChangesWithConfigAndWithWeights) {
  const Scratch s;
  s.put("config.json", "{}");
  s.put("model.safetensors", "weights");
  const BaseId before = base_id_of(s.path());
  s.put("model.safetensors", "Weights");
  const BaseId other_weights = base_id_of(s.path());
  s.put("config.json", "{ }");
  EXPECT_NE(before, other_weights);
  EXPECT_NE(other_weights, base_id_of(s.path()));
}

TEST(BaseIdentity, NeedsBothFiles) {
  const Scratch s;
  EXPECT_THROW(base_id_of(s.path()), ModelError);
  s.put("model.safetensors", "weights");
  EXPECT_THROW(base_id_of(s.path()), ModelError);
}

}  // namespace
}  // namespace ranktide

#include "common/sweep/import/foreign_value.h"

#include <gtest/gtest.h>

#include "common/sweep/import/flow_text.h"

namespace ranktide {
namespace {

// Returns: `key: value`, `no: why`, or `same`.
std::string told(const std::string& path, const std::string& value) {
  const Translation translation = translated(path, flow_node(value));
  if (const auto* twin = std::get_if<Twin>(&translation)) return twin->key + ": " + twin->value;
  if (const auto* none = std::get_if<NoTwin>(&translation)) return "no: " + none->why;
  return "same";
}

TEST(ForeignValue, WordsOfOtherToolsHaveTwins) {
  EXPECT_EQ(told("learning_rate", "2e-4"), "train.lr: 2e-4");
  EXPECT_EQ(told("optimizer.lr", "2e-4"), "train.lr: 2e-4");
  EXPECT_EQ(told("++lora.rank", "8"), "lora.rank: 8");
  EXPECT_EQ(told("optim", "adamw_bnb_8bit"), "train.optimizer: adamw");
  EXPECT_EQ(told("optimizer._target_", "torch.optim.AdamW"), "train.optimizer: adamw");
  EXPECT_EQ(told("optimizer", "paged_lion_32bit"), "train.optimizer: lion");
  EXPECT_EQ(told("lr_scheduler_type", "constant_with_warmup"), "train.schedule: constant");
  EXPECT_EQ(told("warmup_ratio", "0.03"), "train.warmup: 3%");
  EXPECT_EQ(told("warmup_steps", "100"), "train.warmup: 100");
  EXPECT_EQ(told("use_rslora", "true"), "lora.scaling: alpha/sqrt(r)");
  EXPECT_EQ(told("train_on_inputs", "false"), "data.mask_prompt: true");
  EXPECT_EQ(told("seed", "42"), "seeds: [42]");
  EXPECT_EQ(told("epochs", "3.0"), "budget.epochs: 3.0");
  EXPECT_EQ(told("batch_size", "16.0"), "train.batch: 16");
}

TEST(ForeignValue, ModulesThatMakeAGroupAreCalledByIt) {
  EXPECT_EQ(told("target_modules", "[q_proj, k_proj, v_proj, o_proj]"), "lora.target: attn");
  EXPECT_EQ(told("target_modules", "[v_proj, q_proj]"), "lora.target: v_proj+q_proj");
  EXPECT_EQ(told("target_modules", "all-linear"), "lora.target: all");
  EXPECT_EQ(told("target_modules", "[c_attn]").find("no: lora.target knows q_proj"), 0U);
}

TEST(ForeignValue, HubNamesAreNotFolders) {
  EXPECT_EQ(told("base_model", "meta-llama/Llama-2-7b-hf"), "model.path: hub:meta-llama/Llama-2-7b-hf");
  EXPECT_EQ(told("base_model", "./models/llama"), "model.path: ./models/llama");
  EXPECT_EQ(told("dataset_name", "tatsu-lab/alpaca").find("no: data sets are files here"), 0U);
  EXPECT_EQ(told("train_file", "data/a.jsonl"), "data.train: data/a.jsonl");
  EXPECT_EQ(told("model._target_", "my.Model"), "no: there is no such setting");
}

TEST(ForeignValue, WhatAsksForNothingIsSaidToBeSame) {
  EXPECT_EQ(told("load_in_8bit", "false"), "same");
  EXPECT_EQ(told("max_steps", "-1"), "same");
  EXPECT_EQ(told("max_grad_norm", "0"), "train.clip: 0") << "here 1.0 is the default";
  EXPECT_EQ(told("gradient_clip_val", "-1"), "train.clip: 0");
  EXPECT_EQ(told("load_in_8bit", "true"), "no: the base is kept in bf16 or fp32");
  EXPECT_EQ(told("frobnicate", "3"), "no: there is no such setting");
}

TEST(FlowText, ReadsBackAsTheSame) {
  for (const char* text :
       {"a: b", "", "- x", "#c", "a, b", "[x]", "1e-4", "org/name", "~", "null", "x #y", "tab\there"})
    EXPECT_EQ(flow_node(flow_text(std::string(text))).text, text);
}

}  // namespace
}  // namespace ranktide

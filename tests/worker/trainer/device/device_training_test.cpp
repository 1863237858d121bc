// One source for every device: a training on an accelerator is the CPU's, bit by bit, for its kernels compute
// the same. What a real GPU adds up in another order, this cannot say.
#include <ATen/ops/empty.h>
#include <algorithm>
#include <c10/core/CPUAllocator.h>
#include <filesystem>
#include <fstream>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <map>
#include <memory>
#include <optional>
#include <sstream>
#include <sys/mount.h>
#include <vector>

#include "common/model/shape.h"
#include "tests/common/model/scratch.h"
#include "tests/worker/trainer/device/fake_device.h"
#include "worker/trainer/check/families.h"
#include "worker/trainer/check/foundations.h"
#include "worker/trainer/check/lessons.h"
#include "worker/trainer/check/random_model.h"
#include "worker/trainer/check/training_check.h"
#include "worker/trainer/eval/evaluate.h"
#include "worker/trainer/lm/by_rows.h"
#include "worker/trainer/lm/device.h"
#include "worker/trainer/lm/dropout.h"
#include "worker/trainer/lm/engine.h"
#include "worker/trainer/lm/product.h"
#include "worker/trainer/lm/weights.h"
#include "worker/trainer/train/step_gradients.h"
#include "worker/trainer/train/trainer.h"

namespace ranktide {
namespace {

namespace fs = std::filesystem;
using testing::AllOf;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr Step kSteps = 4;

// What is off is not checked.
TrialSettings settings_of_trial(Method method) {
  TrialSettings s;
  s.method = method;
  s.seed = 11;
  s.train.lr = method == Method::lora ? 4e-3 : 1e-3;
  s.train.weight_decay = 0.1;
  s.train.decay_rule = method == Method::lora ? DecayRule::times_lr : DecayRule::per_step;
  s.train.attention_dropout = 0.1;
  if (method != Method::lora) return s;
  s.lora = LoraSettings{.rank = 4, .alpha = 8, .target = {}, .dropout = 0.1};
  for (const NamedLinear& named : kLinears) s.lora->target.emplace_back(named.module);
  std::sort(s.lora->target.begin(), s.lora->target.end());
  return s;
}

Stage stage_of(Method method) {
  return {.id = StageId{"stage"},
          .trial = TrialId{"trial"},
          .base = BaseId{"base"},
          .from = 0,
          .to = kSteps,
          .settings = settings_of_trial(method)};
}

std::vector<EvalItem> questions() {
  std::vector<EvalItem> items;
  for (int32_t i = 0; i < 5; ++i) {
    EvalItem item;
    for (int32_t c = 0; c < 3; ++c)
      item.choices.push_back({.tokens = {i, i + 7, 3 * i + c, c, 40 + c}, .scored_from = 2, .bytes = 9});
    items.push_back(item);
  }
  return items;
}

std::string bytes_of(const fs::path& file) {
  std::ifstream in(file, std::ios::binary);
  std::ostringstream bytes;
  bytes << in.rdbuf();
  return bytes.str();
}

// All that a device says, to be compared with what another says.
struct Said {
  std::vector<double> losses, norms;
  std::string trained;  // SHA-256 of the weights
  std::vector<float> logits;
  std::vector<double> logliks;
  std::string saved, merged;  // the bytes of the weights' files
  std::vector<std::string> notes;
  int64_t memory_peak_bytes = 0;
};

struct How {
  at::Device device = at::kCPU;
  Step stop_after = 0;  // 0: never
  Attempt attempt = 1;
  Step save_after = 0;         // a checkpoint after this step, while the host has little memory; 0: none is due
  int64_t host_bytes_max = 0;  // of tensors that are made while it is saved
};

// The host has memory for so many bytes of further tensors at once while this lives, and refuses more as the
// CPU's allocator does.
class HostMemory final : public c10::Allocator {
 public:
  explicit HostMemory(int64_t bytes_max) : bytes_max_(bytes_max), before_(c10::GetCPUAllocator()) {
    c10::SetCPUAllocator(this);
  }
  ~HostMemory() override { c10::SetCPUAllocator(before_); }
  HostMemory(const HostMemory&) = delete;
  HostMemory& operator=(const HostMemory&) = delete;

  c10::DataPtr allocate(size_t bytes) override {
    if (*in_use_ + static_cast<int64_t>(bytes) > bytes_max_)
      throw c10::Error({__func__, __FILE__, __LINE__},
                       "DefaultCPUAllocator: can't allocate memory: you tried to allocate " +
                           std::to_string(bytes) + " bytes.");
    auto block = std::make_unique<Block>(before_->allocate(bytes), static_cast<int64_t>(bytes), in_use_);
    *in_use_ += block->bytes;
    void* data = block->data.get();
    return {data, block.release(), [](void* context) { delete static_cast<Block*>(context); }, at::kCPU};
  }
  void copy_data(void* to, const void* from, size_t bytes) const override {
    default_copy_data(to, from, bytes);
  }

 private:
  struct Block {
    Block(c10::DataPtr d, int64_t n, std::shared_ptr<int64_t> u)
        : data(std::move(d)), bytes(n), in_use(std::move(u)) {}
    ~Block() { *in_use -= bytes; }
    Block(const Block&) = delete;
    Block& operator=(const Block&) = delete;

    c10::DataPtr data;
    int64_t bytes;
    std::shared_ptr<int64_t> in_use;  // a tensor may outlive the limit
  };

  int64_t bytes_max_;
  c10::Allocator* before_;
  std::shared_ptr<int64_t> in_use_ = std::make_shared<int64_t>(0);
};

// One training and what can be asked of its model, in a folder that holds a model.
class Trial {
 public:
  Trial(const fs::path& folder, Method method, Dtype dtype, Optimizer optimizer = Optimizer::adamw)
      : folder_(folder), stage_(stage_of(method)), dtype_(dtype) {
    stage_.settings.train.optimizer = optimizer;
  }

  Said on(const How& how) const {
    const auto base = Base::load(folder_ / "model", dtype_, how.device);
    Model model = Model::for_trial(base, stage_.settings);
    Said said;
    train_model(model, how, said);
    if (how.stop_after == 0) ask(model, said);
    return said;
  }

 private:
  fs::path checkpoints() const { return folder_ / "checkpoints"; }

  void train_model(Model& model, const How& how, Said& said) const {
    std::stop_source stop;
    std::optional<HostMemory> memory;
    const TrainHooks hooks{.on_progress =
                               [&](const StepProgress& p) {
                                 said.losses.push_back(p.loss);
                                 said.norms.push_back(p.grad_norm);
                                 if (p.step == how.stop_after) stop.request_stop();
                               },
                           .checkpoint_due =
                               [&](Step step) {
                                 if (step == how.save_after) memory.emplace(how.host_bytes_max);
                                 return step == how.save_after;
                               },
                           .note =
                               [&](const std::string& line) {
                                 memory.reset();
                                 said.notes.push_back(line);
                               },
                           .checkpoint_saved = [&](Step) { memory.reset(); }};
    const Outcome outcome =
        train(stage_, model, seeded_lessons(model.shape().vocabulary, 11),
              {.checkpoints = checkpoints(), .attempt = how.attempt}, hooks, stop.get_token());
    said.trained = outcome.weights_sha256;
    said.memory_peak_bytes = outcome.memory_peak_bytes;
  }

  void ask(Model& model, Said& said) const {
    said.logits = model.logits(std::vector<int32_t>{3, 1, 4, 1, 5});
    const Evaluation asked = *evaluate(model, questions(), EvalKind::choice, EvalNorm::tokens);
    for (const ItemScore& item : asked.items)
      said.logliks.insert(said.logliks.end(), item.loglik.begin(), item.loglik.end());
    said.saved = weights_file(model);
    model.merge();
    said.merged = weights_file(model);
  }

  std::string weights_file(const Model& model) const {
    const fs::path folder = folder_ / "saved";
    fs::remove_all(folder);
    model.save(folder);
    const bool is_adapter = fs::exists(folder / "adapter_model.safetensors");
    return bytes_of(folder / (is_adapter ? "adapter_model.safetensors" : "model.safetensors"));
  }

  fs::path folder_;
  Stage stage_;
  Dtype dtype_;
};

class DeviceTraining : public testing::Test {
 protected:
  void SetUp() override {
    start_engine(1);
    as_it_is_ = multiply_bf16_as_it_is(true);  // only the CPU widens, and only where it must
    by_rows_ = compute_by_rows(false);         // only the CPU has loops of its own,
    by_panels_ = multiply_by_panels(false);    // and products
  }
  void TearDown() override {
    multiply_bf16_as_it_is(as_it_is_);
    compute_by_rows(by_rows_);
    multiply_by_panels(by_panels_);
  }

  bool as_it_is_ = false, by_rows_ = true, by_panels_ = true;
};

void expect_equal(const Said& device, const Said& cpu) {
  EXPECT_EQ(device.losses, cpu.losses);
  EXPECT_EQ(device.norms, cpu.norms);
  EXPECT_EQ(device.trained, cpu.trained);
  EXPECT_EQ(device.logits, cpu.logits);
  EXPECT_EQ(device.logliks, cpu.logliks);
  EXPECT_TRUE(device.saved == cpu.saved) << "the files of the weights differ";
  EXPECT_TRUE(device.merged == cpu.merged) << "the files of the merged weights differ";
}

TEST_F(DeviceTraining, IsTheCpusBitByBitInEveryFamilyMethodAndDtype) {
  for (const Family& family : families()) {
    for (const Method method : {Method::lora, Method::full}) {
      for (const Dtype dtype : {Dtype::fp32, Dtype::bf16}) {
        SCOPED_TRACE(family.name + " " + std::string(text_of(method)) + " " + std::string(text_of(dtype)));
        const Scratch cpu, device;
        for (const Scratch* scratch : {&cpu, &device})
          write_random_model(family.config, scratch->path() / "model", 11);
        const int64_t before = fake::kernels_run();
        const Said on_device = Trial(device.path(), method, dtype).on({.device = fake::kDevice});
        EXPECT_GT(fake::kernels_run(), before + 1000) << "little was computed on the device";
        expect_equal(on_device, Trial(cpu.path(), method, dtype).on({}));
      }
    }
  }
}

TEST_F(DeviceTraining, UnderLionToo) {
  for (const Method method : {Method::lora, Method::full}) {
    const Scratch cpu, device;
    for (const Scratch* scratch : {&cpu, &device})
      write_random_model(families().front().config, scratch->path() / "model", 11);
    const Said on_device =
        Trial(device.path(), method, Dtype::bf16, Optimizer::lion).on({.device = fake::kDevice});
    expect_equal(on_device, Trial(cpu.path(), method, Dtype::bf16, Optimizer::lion).on({}));
    EXPECT_NE(on_device.trained, Trial(cpu.path(), method, Dtype::bf16).on({.attempt = 2}).trained);
  }
}

TEST_F(DeviceTraining, StoppedAndResumedItEndsWithTheSameBits) {
  for (const Method method : {Method::lora, Method::full}) {
    const Scratch whole, cut;
    for (const Scratch* scratch : {&whole, &cut})
      write_random_model(families().front().config, scratch->path() / "model", 11);
    const Trial trial(cut.path(), method, Dtype::bf16);
    trial.on({.device = fake::kDevice, .stop_after = 2});
    const Said resumed = trial.on({.device = fake::kDevice, .attempt = 2});
    EXPECT_THAT(resumed.notes, Contains(HasSubstr("resumed at step 2")));
    const Said uninterrupted = Trial(whole.path(), method, Dtype::bf16).on({.device = fake::kDevice});
    EXPECT_EQ(resumed.trained, uninterrupted.trained);
  }
}

TEST_F(DeviceTraining, DoesNotGoOnFromACheckpointOfAnotherDevice) {
  const Scratch scratch;
  write_random_model(families().front().config, scratch.path() / "model", 11);
  const Trial trial(scratch.path(), Method::lora, Dtype::fp32);
  trial.on({.stop_after = 2});
  const Said anew = trial.on({.device = fake::kDevice, .attempt = 2});
  EXPECT_EQ(std::ssize(anew.losses), kSteps);
  EXPECT_THAT(anew.notes, Contains(HasSubstr("this machine has privateuseone:0")));
}

TEST_F(DeviceTraining, ACheckpointThatTheHostHasNoMemoryForIsNotedAndTrainingGoesOn) {
  const Scratch scratch;
  write_random_model(families().front().config, scratch.path() / "model", 11);
  const Said said =
      Trial(scratch.path(), Method::full, Dtype::fp32).on({.device = fake::kDevice, .save_after = 2});
  EXPECT_THAT(said.notes, ElementsAre(AllOf(HasSubstr("no checkpoint at step 2, training goes on"),
                                            HasSubstr("cannot be copied from the device"),
                                            HasSubstr("can't allocate memory"))));
  EXPECT_EQ(std::ssize(said.losses), kSteps);
}

TEST_F(DeviceTraining, ACheckpointHoldsOneTensorAtATimeOnTheHost) {
  const Scratch scratch;
  const Family& family = families().front();
  write_random_model(family.config, scratch.path() / "model", 11);
  const ModelShape shape = read_shape(scratch.path() / "model");
  const int64_t largest = 4 * shape.vocabulary * shape.hidden;
  const Said said = Trial(scratch.path(), Method::full, Dtype::fp32)
                        .on({.device = fake::kDevice, .save_after = 2, .host_bytes_max = largest});
  EXPECT_THAT(said.notes, IsEmpty());
  EXPECT_TRUE(fs::exists(scratch.path() / "checkpoints/stage/1/2/manifest.json"));
  EXPECT_GT(static_cast<int64_t>(fs::file_size(scratch.path() / "checkpoints/stage/1/2/state.safetensors")),
            2 * largest);
}

TEST_F(DeviceTraining, ADiskWithoutRoomIsAskedBeforeAnythingIsCopiedToTheHost) {
  const Scratch scratch;
  write_random_model(families().front().config, scratch.path() / "model", 11);
  const fs::path disk = scratch.path() / "checkpoints";
  fs::create_directories(disk);
  if (mount("tmpfs", disk.c_str(), "tmpfs", 0, "size=16k") != 0)
    GTEST_SKIP() << "needs the right to mount a small tmpfs";
  const Said said =
      Trial(scratch.path(), Method::full, Dtype::fp32).on({.device = fake::kDevice, .save_after = 2});
  EXPECT_THAT(said.notes, ElementsAre(HasSubstr("a checkpoint needs ")));
  umount2(disk.c_str(), MNT_DETACH);
}

TEST_F(DeviceTraining, IsOfTheSameEngineWhateverTheThreadsOfTheCpu) {
  start_engine(2);
  EXPECT_EQ(current_engine(fake::kDevice).threads, 1);
  EXPECT_EQ(current_engine(at::kCPU).threads, 2);
}

// Small ones are drawn by the processor, large ones where they lie.
TEST_F(DeviceTraining, DrawsTheCpusDropoutMasks) {
  const DropoutKey key{.key = 42, .rate = 0.3, .first_row = 7};
  for (const at::ScalarType dtype : {at::kFloat, at::kBFloat16}) {
    for (const int64_t rows : {5, 600}) {
      const at::Tensor expected = at::empty({rows, 577}, dtype);
      const at::Tensor drawn = at::empty({rows, 577}, expected.options().device(fake::kDevice));
      draw_dropout_mask(key, expected);
      const int64_t before = fake::kernels_run();
      draw_dropout_mask(key, drawn);
      EXPECT_EQ(fake::kernels_run() - before > 100, rows == 600);
      EXPECT_TRUE(drawn.cpu().equal(expected)) << rows << " rows of " << toString(dtype);
    }
  }
}

// A device that is waited for after each micro-batch has nothing to do until the next is asked for.
TEST_F(DeviceTraining, GradientsOfAStepAreWaitedForOnce) {
  const Scratch scratch;
  const Stage stage = stage_of(Method::lora);
  write_random_model(families().front().config, scratch.path() / "model", 11);
  const auto base = Base::load(scratch.path() / "model", Dtype::fp32, fake::kDevice);
  Model model = Model::for_trial(base, stage.settings);
  StepBatch data = seeded_lessons(model.shape().vocabulary, 11)(1);
  data.micro.push_back(data.micro.front());
  const int64_t before = fake::waits();
  gradients_of_step(model, data, stage.settings, 1, labels_of(data));
  EXPECT_EQ(fake::waits() - before, 1);
}

TEST_F(DeviceTraining, CountsTheMemoryOfTheDevice) {
  const Scratch scratch;
  write_random_model(families().front().config, scratch.path() / "model", 11);
  const Trial trial(scratch.path(), Method::full, Dtype::fp32);
  reset_memory_peak(fake::kDevice);
  const Said said = trial.on({.device = fake::kDevice});
  EXPECT_GT(said.memory_peak_bytes, int64_t{1} << 20);
  EXPECT_LE(said.memory_peak_bytes, memory_peak_bytes(fake::kDevice));
}

TEST_F(DeviceTraining, OutOfMemoryIsOneOfItsOwnAndPasses) {
  const Scratch scratch;
  write_random_model(families().front().config, scratch.path() / "model", 11);
  const Trial trial(scratch.path(), Method::lora, Dtype::fp32);
  {
    const fake::SmallMemory small(1 << 20);
    EXPECT_THROW(trial.on({.device = fake::kDevice}), c10::OutOfMemoryError);
  }
  release_unused_memory(fake::kDevice);
  EXPECT_EQ(std::ssize(trial.on({.device = fake::kDevice, .attempt = 2}).losses), kSteps);
}

TEST_F(DeviceTraining, TheSelfCheckPassesOnIt) {
  for (const Finding& f : check_foundations(1, fake::kDevice))
    EXPECT_NE(f.verdict, Verdict::failed) << f.subject << ": " << f.detail;
  for (const TrainingRow& row : check_training({.device = fake::kDevice, .steps = 2}))
    EXPECT_EQ(row.failure, "") << row.family << " " << text_of(row.method) << " " << text_of(row.dtype);
}

}  // namespace
}  // namespace ranktide

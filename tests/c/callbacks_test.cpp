// The C interface as a C++ program uses it: callbacks that throw, threads, and structs of other versions.
#include <gtest/gtest.h>

#include <array>
#include <cstring>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "gpuvae/c.h"
#include "tests/temporary_folder.h"

namespace {

using gpuvae::test::TemporaryFolder;

constexpr int kRows = 24, kFeatures = 6;

std::vector<float> example_values() {
  std::vector<float> values;
  for (int i = 0; i < kRows * kFeatures; ++i) values.push_back(static_cast<float>(i * 37 % 101) / 101);
  return values;
}

class CInterface : public testing::Test {
 protected:
  CInterface() { make(&model_, &trainer_); }
  ~CInterface() override {
    gpuvae_trainer_free(trainer_);
    gpuvae_model_free(model_);
  }

  void make(gpuvae_model** model, gpuvae_trainer** trainer) {
    gpuvae_model_options options;
    EXPECT_EQ(gpuvae_model_options_init(&options, sizeof options), GPUVAE_OK);
    options.features = kFeatures;
    options.device = "cpu";
    EXPECT_EQ(gpuvae_model_create(&options, model), GPUVAE_OK) << gpuvae_last_error();
    gpuvae_train_options training;
    EXPECT_EQ(gpuvae_train_options_init(&training, sizeof training), GPUVAE_OK);
    training.batch_size = 4;
    EXPECT_EQ(gpuvae_trainer_create(*model, &x_, nullptr, &training, trainer), GPUVAE_OK)
        << gpuvae_last_error();
  }
  std::vector<float> codes(const gpuvae_model* model) {
    std::vector<float> z(kRows * 2);
    const gpuvae_array array{z.data(), GPUVAE_F32, kRows, 2, 0};
    EXPECT_EQ(gpuvae_encode(model, &x_, &array), GPUVAE_OK) << gpuvae_last_error();
    return z;
  }

  std::vector<float> values_ = example_values();
  gpuvae_array x_{values_.data(), GPUVAE_F32, kRows, kFeatures, 0};
  gpuvae_model* model_ = nullptr;
  gpuvae_trainer* trainer_ = nullptr;
};

TEST_F(CInterface, ACallbackThatThrowsEndsTheCallWithItsText) {
  int calls = 0;
  const auto callback = [](const gpuvae_step_report* report, void* user) -> int {
    ++*static_cast<int*>(user);
    if (report->step == 3) throw std::runtime_error("the disk of the caller is full");
    return GPUVAE_CONTINUE;
  };
  ASSERT_EQ(gpuvae_trainer_on_steps(trainer_, 1, callback, &calls), GPUVAE_OK);
  EXPECT_EQ(gpuvae_trainer_run_epochs(trainer_, 2, nullptr), GPUVAE_CALLBACK);
  EXPECT_STREQ(
      gpuvae_last_error(),
      "[gpuvae_trainer_run_epochs] expected a callback that does not throw, got the disk of the caller "
      "is full");
  EXPECT_EQ(calls, 3);
  // Training continues after the step at which the callback threw, with the bits of an undisturbed run.
  EXPECT_EQ(gpuvae_trainer_run_steps(trainer_, 9, nullptr), GPUVAE_OK) << gpuvae_last_error();
  gpuvae_model* other = nullptr;
  gpuvae_trainer* undisturbed = nullptr;
  make(&other, &undisturbed);
  EXPECT_EQ(gpuvae_trainer_run_steps(undisturbed, 12, nullptr), GPUVAE_OK);
  EXPECT_EQ(codes(model_), codes(other));
  gpuvae_trainer_free(undisturbed);
  gpuvae_model_free(other);
}

TEST_F(CInterface, ACallbackThatThrowsANumberIsAnErrorToo) {
  const auto callback = [](const gpuvae_epoch_result*, void*) -> int { throw 7; };
  ASSERT_EQ(gpuvae_trainer_on_epoch(trainer_, callback, nullptr), GPUVAE_OK);
  EXPECT_EQ(gpuvae_trainer_run_epochs(trainer_, 1, nullptr), GPUVAE_CALLBACK);
  EXPECT_NE(std::string(gpuvae_last_error()).find("an exception of an unknown type"), std::string::npos);
}

// Training stops after an epoch that is not better than an earlier one. The learning rate is so large that
// there soon is one.
TEST_F(CInterface, PatienceEndsTheTrainingAndKeepsTheBestWeights) {
  gpuvae_trainer_free(trainer_);
  gpuvae_train_options options;
  ASSERT_EQ(gpuvae_train_options_init(&options, sizeof options), GPUVAE_OK);
  options.batch_size = 4;
  options.learning_rate = 0.1;
  options.patience = 1;
  options.average_decay = 0.5;
  options.data_output_bias = 1;
  ASSERT_EQ(gpuvae_trainer_create(model_, &x_, &x_, &options, &trainer_), GPUVAE_OK) << gpuvae_last_error();
  EXPECT_EQ(gpuvae_trainer_load_weights(trainer_, "best"), GPUVAE_INVALID_ARGUMENT);
  EXPECT_EQ(gpuvae_trainer_load_weights(trainer_, "last"), GPUVAE_INVALID_ARGUMENT);
  gpuvae_epoch_result last{};
  last.struct_size = sizeof last;
  ASSERT_EQ(gpuvae_trainer_run_epochs(trainer_, 500, &last), GPUVAE_OK) << gpuvae_last_error();
  EXPECT_LT(last.epoch, 500);
  EXPECT_EQ(last.best, 0);
  const std::vector<float> trained = codes(model_);
  ASSERT_EQ(gpuvae_trainer_load_weights(trainer_, "best"), GPUVAE_OK) << gpuvae_last_error();
  EXPECT_NE(codes(model_), trained);
}

// The moving average starts at the weights with the output biases of the data, also before the first step.
TEST_F(CInterface, TheAverageStartsAtTheOutputBiases) {
  const auto decoded = [&] {
    const std::vector<float> z(2, 0.5f);
    std::vector<float> x(kFeatures);
    const gpuvae_array codes{const_cast<float*>(z.data()), GPUVAE_F32, 1, 2, 0};
    const gpuvae_array rows{x.data(), GPUVAE_F32, 1, kFeatures, 0};
    EXPECT_EQ(gpuvae_decode(model_, &codes, &rows), GPUVAE_OK) << gpuvae_last_error();
    return x;
  };
  const std::vector<float> unbiased = decoded();
  gpuvae_trainer_free(trainer_);
  trainer_ = nullptr;
  gpuvae_train_options options;
  ASSERT_EQ(gpuvae_train_options_init(&options, sizeof options), GPUVAE_OK);
  options.batch_size = 4;
  options.average_decay = 0.9;
  options.data_output_bias = 1;
  // A trainer that cannot be created leaves the model as it was.
  options.patience = 1;
  ASSERT_EQ(gpuvae_trainer_create(model_, &x_, nullptr, &options, &trainer_), GPUVAE_INVALID_ARGUMENT);
  EXPECT_EQ(decoded(), unbiased);
  options.patience = 0;
  ASSERT_EQ(gpuvae_trainer_create(model_, &x_, nullptr, &options, &trainer_), GPUVAE_OK)
      << gpuvae_last_error();
  const std::vector<float> biased = decoded();
  EXPECT_NE(biased, unbiased);
  ASSERT_EQ(gpuvae_trainer_load_weights(trainer_, "evaluated"), GPUVAE_OK) << gpuvae_last_error();
  EXPECT_EQ(decoded(), biased);
}

struct SavingCallback {
  gpuvae_trainer* trainer;
  gpuvae_model* model;
  std::string checkpoint, file;
};

TEST_F(CInterface, ACallbackMaySaveAndFreeButNotTrain) {
  const TemporaryFolder folder;
  SavingCallback saving{trainer_, model_, (folder / "checkpoint").string(), (folder / "model").string()};
  const auto callback = [](const gpuvae_step_report*, void* user) -> int {
    const auto& s = *static_cast<SavingCallback*>(user);
    EXPECT_EQ(gpuvae_trainer_save(s.trainer, s.checkpoint.c_str()), GPUVAE_OK) << gpuvae_last_error();
    EXPECT_EQ(gpuvae_model_save(s.model, s.file.c_str()), GPUVAE_OK) << gpuvae_last_error();
    EXPECT_EQ(gpuvae_trainer_set_learning_rate(s.trainer, 1e-4), GPUVAE_OK) << gpuvae_last_error();
    EXPECT_EQ(gpuvae_trainer_run_steps(s.trainer, 1, nullptr), GPUVAE_INVALID_ARGUMENT);
    EXPECT_NE(std::string(gpuvae_last_error()).find("inside a callback"), std::string::npos);
    EXPECT_EQ(gpuvae_trainer_free(s.trainer), GPUVAE_OK) << gpuvae_last_error();
    return GPUVAE_CONTINUE;
  };
  ASSERT_EQ(gpuvae_trainer_on_steps(trainer_, 5, callback, &saving), GPUVAE_OK);
  EXPECT_EQ(gpuvae_trainer_run_steps(trainer_, 7, nullptr), GPUVAE_OK) << gpuvae_last_error();
  EXPECT_EQ(gpuvae_trainer_run_steps(trainer_, 7, nullptr), GPUVAE_INVALID_ARGUMENT);
  trainer_ = nullptr;

  gpuvae_model* resumed = nullptr;
  gpuvae_trainer* trainer = nullptr;
  make(&resumed, &trainer);
  EXPECT_EQ(gpuvae_trainer_restore(trainer, saving.checkpoint.c_str()), GPUVAE_OK) << gpuvae_last_error();
  EXPECT_EQ(gpuvae_trainer_set_learning_rate(trainer, 1e-4), GPUVAE_OK);
  EXPECT_EQ(gpuvae_trainer_run_steps(trainer, 2, nullptr), GPUVAE_OK);
  EXPECT_EQ(codes(resumed), codes(model_));
  gpuvae_trainer_free(trainer);
  gpuvae_model_free(resumed);
}

TEST_F(CInterface, ASecondThreadCannotUseATrainerThatTrains) {
  gpuvae_status of_thread = GPUVAE_OK;
  std::string message;
  struct Shared {
    gpuvae_trainer* trainer;
    gpuvae_status* status;
    std::string* message;
  } shared{trainer_, &of_thread, &message};
  const auto callback = [](const gpuvae_step_report*, void* user) -> int {
    const auto& s = *static_cast<Shared*>(user);
    std::thread([&s] {
      *s.status = gpuvae_trainer_run_steps(s.trainer, 1, nullptr);
      *s.message = gpuvae_last_error();
    }).join();
    return GPUVAE_STOP;
  };
  ASSERT_EQ(gpuvae_trainer_on_steps(trainer_, 1, callback, &shared), GPUVAE_OK);
  ASSERT_EQ(gpuvae_trainer_run_steps(trainer_, 1, nullptr), GPUVAE_OK) << gpuvae_last_error();
  EXPECT_EQ(of_thread, GPUVAE_INVALID_ARGUMENT);
  EXPECT_NE(message.find("no other thread is using"), std::string::npos) << message;
  EXPECT_EQ(std::string(gpuvae_last_error()).find("no other thread is using"), std::string::npos)
      << "the message belongs to the other thread";
}

// A caller's struct of another size, in memory that is larger than the struct.
struct Versions {
  alignas(8) std::array<std::byte, 4096 + 64> bytes{};
  gpuvae_model_options* options() { return reinterpret_cast<gpuvae_model_options*>(bytes.data()); }
  gpuvae_status create(std::size_t size) {
    std::memcpy(bytes.data(), &size, sizeof size);
    gpuvae_model* model = nullptr;
    const gpuvae_status status = gpuvae_model_create(options(), &model);
    gpuvae_model_free(model);
    return status;
  }
};

TEST(StructSize, MembersBeyondASmallerStructHaveTheirDefaults) {
  Versions versions;
  ASSERT_EQ(gpuvae_model_options_init(versions.options(), 24), GPUVAE_OK) << gpuvae_last_error();
  EXPECT_EQ(versions.options()->struct_size, 24u);
  EXPECT_EQ(versions.options()->features, 784);
  EXPECT_EQ(versions.options()->latent, 2);
  EXPECT_EQ(versions.bytes[24], std::byte{0});  // not written
  versions.options()->features = 5;
  versions.options()->likelihood = "beyond the struct, so that nobody reads it";
  ASSERT_EQ(versions.create(24), GPUVAE_OK) << gpuvae_last_error();
  EXPECT_EQ(versions.create(sizeof(gpuvae_model_options)), GPUVAE_INVALID_ARGUMENT);
}

TEST(StructSize, ALargerStructMustBeZeroWhereItIsUnknown) {
  constexpr std::size_t kKnown = sizeof(gpuvae_model_options), kLarger = kKnown + 16;
  Versions versions;
  versions.bytes.fill(std::byte{0xff});
  ASSERT_EQ(gpuvae_model_options_init(versions.options(), kLarger), GPUVAE_OK) << gpuvae_last_error();
  EXPECT_EQ(versions.bytes[kLarger - 1], std::byte{0});
  EXPECT_EQ(versions.bytes[kLarger], std::byte{0xff});
  versions.options()->device = "cpu";
  EXPECT_EQ(versions.create(kLarger), GPUVAE_OK) << gpuvae_last_error();
  versions.bytes[kLarger - 1] = std::byte{1};
  EXPECT_EQ(versions.create(kLarger), GPUVAE_INVALID_ARGUMENT);
  EXPECT_NE(std::string(gpuvae_last_error()).find("expected zeros in the members that this version"),
            std::string::npos)
      << gpuvae_last_error();
}

TEST(StructSize, SizesThatCannotBeRightAreRefused) {
  Versions versions;
  for (const std::size_t size :
       {std::size_t{0}, std::size_t{4}, std::size_t{20}, std::size_t{4104}, SIZE_MAX}) {
    EXPECT_EQ(versions.create(size), GPUVAE_INVALID_ARGUMENT) << size;
    EXPECT_NE(std::string(gpuvae_last_error()).find("expected a struct_size"), std::string::npos);
    EXPECT_EQ(gpuvae_model_options_init(versions.options(), size), GPUVAE_INVALID_ARGUMENT) << size;
  }
  EXPECT_EQ(gpuvae_model_options_init(nullptr, sizeof(gpuvae_model_options)), GPUVAE_INVALID_ARGUMENT);
}

TEST_F(CInterface, ResultsAreWrittenUpToTheCallersSize) {
  alignas(8) std::array<std::byte, 256> bytes;
  for (const std::size_t size : {std::size_t{16}, sizeof(gpuvae_model_info) + 24}) {
    bytes.fill(std::byte{0xff});
    auto* info = reinterpret_cast<gpuvae_model_info*>(bytes.data());
    info->struct_size = size;
    ASSERT_EQ(gpuvae_model_get_info(model_, info), GPUVAE_OK) << gpuvae_last_error();
    EXPECT_EQ(info->features, kFeatures);
    EXPECT_EQ(bytes[size], std::byte{0xff});
    if (size > 16) {
      EXPECT_EQ(bytes[size - 1], std::byte{0});
    } else {
      EXPECT_EQ(bytes[16], std::byte{0xff});
    }
  }
  auto* info = reinterpret_cast<gpuvae_model_info*>(bytes.data());
  info->struct_size = 0;
  EXPECT_EQ(gpuvae_model_get_info(model_, info), GPUVAE_INVALID_ARGUMENT);
  EXPECT_EQ(gpuvae_model_get_info(model_, nullptr), GPUVAE_INVALID_ARGUMENT);
}

TEST(LastError, LongMessagesAreCut) {
  const std::string path(5000, 'x');
  gpuvae_model* model = nullptr;
  EXPECT_EQ(gpuvae_model_load(path.c_str(), "cpu", &model), GPUVAE_IO);
  EXPECT_EQ(std::strlen(gpuvae_last_error()), 2047u);
}

}  // namespace

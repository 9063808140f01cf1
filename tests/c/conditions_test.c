/* A C program that trains, saves, loads and uses conditional models. Its results must have the bits of the
   C++ interface, which models_reference.cpp calls. Argument: an empty folder. */
#include <math.h>

#include "tests/c/model_checks.h"

static void expect_condition_error(const gpuvae_model* model, const gpuvae_array* condition,
                                   const char* part) {
  static float z[kRows * kLatent];
  gpuvae_array x = float_rows(), codes = array_of(z, GPUVAE_F32, kRows, kLatent);
  EXPECT_ERROR(gpuvae_encode_given(model, &x, condition, &codes), GPUVAE_INVALID_ARGUMENT, part);
}

static void refuse_conditions(gpuvae_model* model) {
  double wrong[kRows * kGiven];
  gpuvae_array given = given_rows(), x = float_rows();
  gpuvae_train_options training = small_training();
  gpuvae_trainer* trainer = NULL;
  expect_condition_error(model, NULL, "expected a condition for a conditional model, got none");
  given.rows = 1;
  expect_condition_error(model, &given, "expected a condition of 96 rows, got 1");
  given = given_rows();
  given.columns = kNumbers;
  given.row_stride = kGiven;
  expect_condition_error(model, &given, "expected condition of 3 columns, got 2");
  given = array_of(bytes, GPUVAE_U8, kRows, kGiven);
  expect_condition_error(model, &given, "got GPUVAE_U8");
  given = array_of(wrong, GPUVAE_F64, kRows, kGiven);
  memcpy(wrong, conditions, sizeof wrong);
  wrong[kGiven + 2] = kClasses;
  expect_condition_error(model, &given,
                         "expected classes from 0 to 2 as condition, got 3 in row 1, column 2");
  wrong[kGiven + 2] = 0.5;
  expect_condition_error(model, &given, "expected classes from 0 to 2 as condition, got 0.5");
  wrong[kGiven + 1] = NAN;
  expect_condition_error(model, &given, "as condition, got nan in row 1, column 1");
  EXPECT_ERROR(gpuvae_trainer_create(model, &x, NULL, &training, &trainer), GPUVAE_INVALID_ARGUMENT,
               "expected a condition for a conditional model");
  given = given_rows();
  training.condition = &given;
  EXPECT_ERROR(gpuvae_trainer_create(model, &x, &x, &training, &trainer), GPUVAE_INVALID_ARGUMENT,
               "expected a condition for a conditional model");
  training.validation_condition = &given;
  EXPECT_ERROR(gpuvae_trainer_create(model, &x, NULL, &training, &trainer), GPUVAE_INVALID_ARGUMENT,
               "expected NULL as validation_condition without validation examples");
  training.binarize = "threshold";
  EXPECT_ERROR(gpuvae_trainer_create(model, &x, &x, &training, &trainer), GPUVAE_INVALID_ARGUMENT,
               "expected none as binarize for a model with condition_columns, got threshold");
}

static void check_condition(void) {
  static struct ModelRun run;
  gpuvae_model_options options = small_model("gaussian");
  gpuvae_train_options training = small_training();
  const gpuvae_array x = float_rows();
  gpuvae_array given = given_rows();
  gpuvae_model_info info;
  reference_condition(floats, conditions, &run);
  options.condition_columns = kNumbers;
  options.condition_classes = kClasses;
  gpuvae_model* model = created(&options);
  refuse_conditions(model);
  training.condition = &given;
  training.schedule = "cosine";
  training.schedule_epochs = 2;
  training.lr_warmup = 1;
  training.lr_final = 5e-4;
  train(model, x, training, &run);
  check_model(model, x, &given, &run);

  model = saved_and_loaded(model, "condition.safetensors");
  info.struct_size = sizeof info;
  EXPECT_OK(gpuvae_model_get_info(model, &info));
  EXPECT(info.features == kFeatures && info.width == kFeatures && info.height == 1);
  EXPECT(info.condition_columns == kNumbers && info.condition_classes == kClasses);
  check_model(model, x, &given, &run);
  EXPECT_OK(gpuvae_model_free(model));

  /* A model that was never trained keeps its condition in a file, too. */
  model = saved_and_loaded(created(&options), "untrained.safetensors");
  EXPECT_OK(gpuvae_model_get_info(model, &info));
  EXPECT(info.features == kFeatures && info.condition_columns == kNumbers &&
         info.condition_classes == kClasses);
  EXPECT_OK(gpuvae_model_free(model));

  options.height = 2;
  EXPECT_ERROR(gpuvae_model_create(&options, &model), GPUVAE_INVALID_ARGUMENT,
               "expected a height of 0 or 1 with condition_columns, got 2");
  options.condition_columns = 0;
  options.condition_classes = 257;
  EXPECT_ERROR(gpuvae_model_create(&options, &model), GPUVAE_INVALID_ARGUMENT,
               "expected 0 to 256 condition_classes, got 257");
}

/* Classes alone follow bytes as bytes. The exemplars of such a model are compared with their classes. */
static void check_classes_of_bytes(void) {
  static double classes[kRows];
  static float z[kRows * kLatent], before[kRows * kLatent];
  gpuvae_model_options options = small_model("bernoulli");
  gpuvae_train_options training = small_training();
  gpuvae_trainer* trainer = NULL;
  gpuvae_array x = byte_rows(), given = array_of(classes, GPUVAE_F64, kRows, 1);
  gpuvae_array codes = array_of(z, GPUVAE_F32, kRows, kLatent);
  for (int row = 0; row < kRows; ++row) classes[row] = row % 2;
  options.height = 3;
  options.condition_classes = 2;
  options.prior = "exemplar";
  gpuvae_model* model = created(&options);
  training.condition = &given;
  training.binarize = "dynamic";
  EXPECT_OK(gpuvae_trainer_create(model, &x, NULL, &training, &trainer));
  EXPECT_OK(gpuvae_trainer_run_epochs(trainer, 1, NULL));
  EXPECT_OK(gpuvae_trainer_free(trainer));
  EXPECT_OK(gpuvae_sample_given(model, &given, 2, &codes, NULL, NULL));
  memcpy(before, z, sizeof before);
  model = saved_and_loaded(model, "classes.safetensors");
  classes[3] = 0;
  EXPECT_ERROR(gpuvae_model_set_exemplars(model, &x, &given), GPUVAE_INVALID_ARGUMENT,
               "expected the rows of the training set in their order");
  classes[3] = 1;
  EXPECT_OK(gpuvae_model_set_exemplars(model, &x, &given));
  EXPECT_OK(gpuvae_sample_given(model, &given, 2, &codes, NULL, NULL));
  EXPECT(memcmp(before, z, sizeof before) == 0);
  EXPECT_OK(gpuvae_model_free(model));
}

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  folder = argv[1];
  make_examples();
  make_conditions();
  check_condition();
  check_classes_of_bytes();
  printf("%d failures\n", failures);
  return failures != 0;
}

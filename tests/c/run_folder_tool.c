/* The C side of run_folder_test.sh, which exchanges models with the programs. Commands:

     table FILE                    writes the test table as CSV
     images FILE                   writes the test images as NPY
     encode FOLDER OUT             encodes the table with a run's model: raw floats in OUT.codes, and decoded
                                   rows in OUT.csv
     encode-images FOLDER OUT      the same for the images, without OUT.csv
     encode-given FOLDER OUT       the same for the table whose last column is a condition, without OUT.csv
     sample-exemplars FOLDER OUT   draws from a model whose exemplars are the images: raw means in OUT.codes
     resave FOLDER FILE            loads a run's model and saves it
     train FILE                    trains a new model on the images and saves it
     refuse FOLDER                 expects that bytes are refused by a model of the table */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "tests/c/c_test.h"

enum { kRows = 80, kColumns = 3, kImages = 40, kSide = 6, kPixels = kSide * kSide, kLatent = 2, kDraws = 9 };

static double table[kRows][kColumns];
static unsigned char images[kImages][kPixels];

static void make_data(void) {
  for (int row = 0; row < kRows; ++row) {
    table[row][0] = 1700000000.0 + 61 * row; /* seconds, which a float cannot hold */
    table[row][1] = 1000 + 100 * sin(row);
    table[row][2] = row * 37 % 101 / 7.0;
  }
  for (int i = 0; i < kImages; ++i)
    for (int pixel = 0; pixel < kPixels; ++pixel)
      images[i][pixel] = (unsigned char)((i * 29 + pixel * pixel * 3) % 256);
}

static FILE* opened(const char* path) {
  FILE* file = fopen(path, "wb");
  if (file == NULL) {
    perror(path);
    exit(2);
  }
  return file;
}

static void write_table(const char* path) {
  FILE* file = opened(path);
  fprintf(file, "seconds,level,share\n");
  for (int row = 0; row < kRows; ++row)
    fprintf(file, "%.17g,%.17g,%.17g\n", table[row][0], table[row][1], table[row][2]);
  fclose(file);
}

static void write_images(const char* path) {
  FILE* file = opened(path);
  char header[128];
  memset(header, ' ', sizeof header);
  memcpy(header, "\x93NUMPY\x01\x00\x76\x00", 10);
  const int length =
      snprintf(header + 10, sizeof header - 10,
               "{'descr': '|u1', 'fortran_order': False, 'shape': (%d, %d, %d), }", kImages, kSide, kSide);
  header[10 + length] = ' ';
  header[sizeof header - 1] = '\n';
  fwrite(header, 1, sizeof header, file);
  fwrite(images, 1, sizeof images, file);
  fclose(file);
}

static gpuvae_model* loaded(const char* path) {
  gpuvae_model* model = NULL;
  EXPECT_OK(gpuvae_model_load(path, "cpu", &model));
  return model;
}

static void write_codes(const char* out, const float* codes, size_t count) {
  char path[4096];
  snprintf(path, sizeof path, "%s.codes", out);
  FILE* file = opened(path);
  fwrite(codes, sizeof(float), count, file);
  fclose(file);
}

static void encode_table(const char* folder, const char* out) {
  static float codes[kRows][kLatent];
  static double decoded[kRows][kColumns];
  char path[4096];
  gpuvae_model* model = loaded(folder);
  gpuvae_array x = array_of(table, GPUVAE_F64, kRows, kColumns);
  gpuvae_array z = array_of(codes, GPUVAE_F32, kRows, kLatent);
  gpuvae_array y = array_of(decoded, GPUVAE_F64, kRows, kColumns);
  EXPECT_OK(gpuvae_encode(model, &x, &z));
  EXPECT_OK(gpuvae_decode(model, &z, &y));
  write_codes(out, &codes[0][0], kRows * kLatent);
  snprintf(path, sizeof path, "%s.csv", out);
  FILE* file = opened(path);
  fprintf(file, "seconds,level,share\n");
  for (int row = 0; row < kRows; ++row)
    fprintf(file, "%.12g,%.12g,%.12g\n", decoded[row][0], decoded[row][1], decoded[row][2]);
  fclose(file);
  EXPECT_OK(gpuvae_model_free(model));
}

static void encode_images(const char* folder, const char* out) {
  static float codes[kImages][kLatent];
  gpuvae_model* model = loaded(folder);
  gpuvae_array x = array_of(images, GPUVAE_U8, kImages, kPixels);
  gpuvae_array z = array_of(codes, GPUVAE_F32, kImages, kLatent);
  EXPECT_OK(gpuvae_encode(model, &x, &z));
  write_codes(out, &codes[0][0], kImages * kLatent);
  EXPECT_OK(gpuvae_model_free(model));
}

/* The condition is the last column, in the units of the table. */
static void encode_given(const char* folder, const char* out) {
  static float codes[kRows][kLatent];
  gpuvae_model* model = loaded(folder);
  gpuvae_array x = array_of(table, GPUVAE_F64, kRows, kColumns - 1);
  gpuvae_array condition = array_of(&table[0][kColumns - 1], GPUVAE_F64, kRows, 1);
  gpuvae_array z = array_of(codes, GPUVAE_F32, kRows, kLatent);
  x.row_stride = kColumns;
  condition.row_stride = kColumns;
  EXPECT_OK(gpuvae_encode_given(model, &x, &condition, &z));
  write_codes(out, &codes[0][0], kRows * kLatent);
  EXPECT_OK(gpuvae_model_free(model));
}

/* Writes the means of draws of a model with an exemplar prior, whose exemplars are the images. */
static void sample_exemplars(const char* folder, const char* out) {
  static float means[kDraws][kPixels];
  gpuvae_model* model = loaded(folder);
  gpuvae_array x = array_of(images, GPUVAE_U8, kImages, kPixels);
  gpuvae_array mean = array_of(means, GPUVAE_F32, kDraws, kPixels);
  EXPECT_OK(gpuvae_model_set_exemplars(model, &x, NULL));
  EXPECT_OK(gpuvae_sample(model, 5, NULL, &mean, NULL));
  write_codes(out, &means[0][0], kDraws * kPixels);
  EXPECT_OK(gpuvae_model_free(model));
}

static void train_images(const char* file) {
  gpuvae_model_options options;
  gpuvae_model* model = NULL;
  gpuvae_trainer* trainer = NULL;
  gpuvae_array x = array_of(images, GPUVAE_U8, kImages, kPixels);
  const int64_t widths[] = {16};
  EXPECT_OK(gpuvae_model_options_init(&options, sizeof options));
  options.features = kPixels;
  options.height = kSide;
  options.encoder_widths = widths;
  options.encoder_layers = 1;
  options.device = "cpu";
  EXPECT_OK(gpuvae_model_create(&options, &model));
  EXPECT_OK(gpuvae_trainer_create(model, &x, NULL, NULL, &trainer));
  EXPECT_OK(gpuvae_trainer_run_epochs(trainer, 3, NULL));
  EXPECT_OK(gpuvae_model_save(model, file));
  EXPECT_OK(gpuvae_trainer_free(trainer));
  EXPECT_OK(gpuvae_model_free(model));
}

static void resave(const char* folder, const char* file) {
  gpuvae_model* model = loaded(folder);
  EXPECT_OK(gpuvae_model_save(model, file));
  EXPECT_OK(gpuvae_model_free(model));
}

static void refuse_bytes(const char* folder) {
  static float codes[kImages][kLatent];
  gpuvae_model* model = loaded(folder);
  gpuvae_model_info info;
  gpuvae_array x = array_of(images, GPUVAE_U8, kImages, kColumns);
  gpuvae_array z = array_of(codes, GPUVAE_F32, kImages, kLatent);
  info.struct_size = sizeof info;
  EXPECT_OK(gpuvae_model_get_info(model, &info));
  EXPECT(info.standardized == 1 && info.bytes == 0 && info.features == kColumns);
  EXPECT_ERROR(gpuvae_encode(model, &x, &z), GPUVAE_INVALID_ARGUMENT,
               "like the training data, got GPUVAE_U8");
  EXPECT_OK(gpuvae_model_free(model));
}

int main(int argc, char** argv) {
  const char* command = argc > 2 ? argv[1] : "";
  make_data();
  if (strcmp(command, "table") == 0) {
    write_table(argv[2]);
  } else if (strcmp(command, "images") == 0) {
    write_images(argv[2]);
  } else if (strcmp(command, "train") == 0) {
    train_images(argv[2]);
  } else if (strcmp(command, "refuse") == 0) {
    refuse_bytes(argv[2]);
  } else if (strcmp(command, "encode") == 0 && argc == 4) {
    encode_table(argv[2], argv[3]);
  } else if (strcmp(command, "encode-images") == 0 && argc == 4) {
    encode_images(argv[2], argv[3]);
  } else if (strcmp(command, "encode-given") == 0 && argc == 4) {
    encode_given(argv[2], argv[3]);
  } else if (strcmp(command, "sample-exemplars") == 0 && argc == 4) {
    sample_exemplars(argv[2], argv[3]);
  } else if (strcmp(command, "resave") == 0 && argc == 4) {
    resave(argv[2], argv[3]);
  } else {
    return 2;
  }
  return failures != 0;
}

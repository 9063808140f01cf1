// The groups Run and Data.
#include "apps/cli/data_flags.h"
#include "apps/cli/settings.h"
#include "src/io/printable.h"

namespace gpuvae::apps {
namespace {

std::string checkpoint_mistake(const std::string& text) {
  if (parse_checkpoint_interval(text)) return "";
  return "expected a time above 0 such as 30s, 5min or 2h, or epochs such as 10epochs, got " +
         io::printable(text);
}

}  // namespace

std::vector<Setting> run_settings(RunConfig& c) {
  return {
      {"--preset", text(c.preset, "NAME"),
       "preset, whose settings are the defaults of all other flags; see Presets below", false},
      {"--seed", whole_number(c.seed), "random seed of the initial weights, the data order and the noise"},
      {"--device", text(c.device, "DEVICE"),
       "device to run on: auto (a GPU if there is one, else the CPU), cpu, cuda or cuda:N", false},
      {"--threads", whole_number(c.threads, between(0, 1024)),
       "largest number of threads on the CPU; 0 means GPUVAE_NUM_THREADS if it is set, else all processors; "
       "results "
       "do not depend on it",
       false},
      {"--executor", choice(c.training.executor, Executor::fused),
       "way to launch training steps: eager launches each kernel, graph launches CUDA graphs of many steps, "
       "fused "
       "launches CUDA graphs of about five fused kernels per step, auto chooses the fastest that fits",
       false},
      {"--out", text(c.out, "FOLDER"),
       "run folder, which receives model, metrics, pictures and config.toml (default: runs/PROGRAM-PRESET)",
       false},
      {"--epochs", whole_number(c.epochs, between(0, 1'000'000)),
       "number of passes over the training set; a larger number continues the run in the folder --out"},
      {"--log-every", whole_number(c.log_every, at_least(0)),
       "number of training steps per row of steps.csv; 0 writes no steps.csv", false},
      {"--checkpoint-every", text(c.checkpoint_every, "TIME|EPOCHS", checkpoint_mistake),
       "longest time between two checkpoints, such as 30s, 5min or 2h, or number of epochs between them, "
       "such as "
       "1epoch or 10epochs; a stopped or killed run continues from its last checkpoint",
       false},
      {"--patience", whole_number(c.training.patience, between(0, 1'000'000)),
       "number of epochs without a better validation loss after which training stops; the model is then that "
       "of the best epoch. The loss is compared with KL weight 1 and with the same noise in every epoch, and "
       "epochs of --warmup-epochs do not count; 0 never stops early"},
      {"--save-best", yes(c.save_best),
       "also write best.safetensors, the model of the best epoch so far, compared as with --patience", false},
      {"--on-nan", choice(c.training.on_nan, OnNan::rewind),
       "what to do if the loss or the gradient of a training step is not finite: stop ends the run with an "
       "error, "
       "skip leaves the step out and counts it, rewind goes back to the end of the last epoch with half the "
       "learning "
       "rate, at most three times (skip and rewind exclude --executor fused; with rewind, checkpoints are "
       "saved "
       "between epochs only)",
       false},
  };
}

std::vector<Setting> data_settings(RunConfig& c) {
  DataSettings& d = c.data;
  BatchOptions& batch = c.training.data;
  return {
      {"--data-dir", text(d.folder, "FOLDER"),
       "folder of the MNIST or Frey Face files (default: $GPUVAE_DATA_DIR, then data/)", false},
      {"--data", text(d.path, "PATH"),
       "file or folder to train on, instead of the program's own data set: an .npy, .csv, .mat or IDX file, "
       "or "
       "a folder of images or IDX files"},
      {"--variable", text(d.variable, "NAME"),
       "matrix of a MATLAB file (--data, --input); NAME' transposes it, so that its columns are the examples "
       "(default: the only matrix of the file)"},
      {"--label-column", text(d.label_column, "COLUMN"),
       "name or number (from 0) of the column that holds the class labels of a table (--data): whole numbers "
       "from 0 to 255, or names"},
      {"--header", choice(d.header, Header::no),
       "whether the first line of a table (--data) holds the names of its columns; auto decides it from the "
       "first lines and refuses doubtful tables"},
      {"--columns", text(d.columns, "NAMES", columns_mistake),
       "columns of a table (--data) to train on, by name or number (from 0), separated by commas "
       "(default: "
       "all but an index column and --label-column)"},
      {"--condition", text(d.condition, "label|NAMES"),
       "train a conditional model p(x | y): y is the class of an example (label), or columns of a table by "
       "name, "
       "or both, separated by commas; encoder and decoder get it, as a one-hot code or as the column's "
       "value"},
      {"--standardize", yes(d.standardize),
       "scale each column of a table (--data) to mean 0 and standard deviation 1, unless its values are "
       "bytes or --value-range is given, or --likelihood is one of counts or of values in [0, 1]; with "
       "--column-types or --library-size, only the columns of the types gaussian and laplace and those of "
       "--condition"},
      {"--missing-values", yes(c.distributions.missing_values),
       "accept missing values (empty cells, nan, NA, null or ? in tables, NaN in arrays): the encoder gets 0 "
       "in their place, and they do not count in the loss"},
      {"--library-size", text(d.library_size, "COLUMN"),
       "name or number (from 0, without the columns of --condition) of the column of a table that holds the "
       "library size of each row, by which the means of all counts are multiplied (--likelihood poisson, "
       "negative-binomial or zero-inflated-negative-binomial)"},
      {"--value-range", text(d.value_range, "LOW:HIGH", value_range_mistake),
       "range of the values of --data, which are scaled from it to [0, 1], such as 0:65535 (default: decided "
       "from the values; the log says how)"},
      {"--validation-fraction", number(d.validation_fraction, between(0, 0.9)),
       "fraction (0 to 0.9) of the rows of --data that are used for validation; ignored if --data has a test "
       "set"},
      {"--data-placement", choice(d.placement, Placement::file),
       "where the examples are kept: memory, file (batches are read from an uncompressed NPY or IDX file "
       "while "
       "the model trains, with the same results), or auto, which is file for such files of more than 256 MiB",
       false},
      {"--builtin-data", yes(d.builtin),
       "train on the program's built-in data set, which needs no files: drawn digits, drawn faces, or "
       "synthetic "
       "counts"},
      {"--train-images", whole_number(d.train_images, at_least(0)),
       "number of training images, counted from the first; 0 uses all"},
      {"--validation-images", whole_number(d.validation_images, at_least(0)),
       "number of validation images, counted from the first; 0 uses all"},
      {"--split-seed", text(d.split_seed, "SEED", seed_mistake),
       "seed of a random order of all images or rows in memory, which replaces the order of the file before "
       "they are split (frey_vae and vae): the last --validation-images of it (default: as many as without "
       "this flag) are those to validate on or, with --validation-set rest and --train-images, the test set "
       "of --set test"},
      {"--validation-set", one_of(d.validation_set, {"test", "rest"}),
       "images to validate on: the test set, or the rest of the training set, which --train-images leaves "
       "out"},
      {"--batch-size", whole_number(c.training.batch_size, at_least(1)),
       "number of images per training step"},
      {"--drop-last", yes(c.training.drop_last),
       "skip the last batch of an epoch if it has fewer than --batch-size images"},
      {"--no-shuffle", no(batch.shuffle),
       "train in the order of the data files instead of a new random order in each epoch"},
      {"--binarize", choice(batch.binarize, Binarize::dynamic),
       "conversion of pixels to 0 or 1: threshold compares them with --threshold, fixed draws each pixel "
       "once per "
       "run with its value as probability, dynamic draws it anew in each epoch"},
      {"--threshold", number(batch.threshold), "value above which a pixel becomes 1 (--binarize threshold)"},
  };
}

}  // namespace gpuvae::apps

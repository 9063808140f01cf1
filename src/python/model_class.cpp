#include "src/python/model_class.h"

#include <nanobind/stl/filesystem.h>
#include <nanobind/stl/map.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include "kernels/check.h"
#include "src/python/arrays.h"
#include "src/python/device_array.h"
#include "src/python/interpreter.h"
#include "src/python/model.h"
#include "src/python/options.h"

namespace gpuvae::python {

namespace nb = nanobind;

namespace {

nb::dict dict_of(const EpochResult& r) {
  nb::dict row;
  row["epoch"] = r.epoch;
  row["train_loss"] = r.train.loss;
  row["train_reconstruction"] = r.train.reconstruction;
  row["train_kl"] = r.train.kl;
  row["val_loss"] = r.validation.loss;
  row["val_reconstruction"] = r.validation.reconstruction;
  row["val_kl"] = r.validation.kl;
  row["train_seconds"] = r.train_seconds;
  row["val_seconds"] = r.validation_seconds;
  return row;
}

// Draws the parameters or, if there is a file, reads them.
Model* make_model(Model* place, std::int64_t features, const nb::dict& settings, const std::string& device,
                  const std::optional<std::filesystem::path>& file) {
  Settings s(settings);
  const ModelSettings model = model_settings(s, features);
  s.check_all_used();
  const LibraryCall call;
  if (file) return new (place) Model(model, Device::parse(device), *file);
  return new (place) Model(model, Device::parse(device));
}

// Calls Python at most ten times per second.
std::function<void(int, std::int64_t, const Losses&)> progress_of(const nb::object& callback) {
  if (callback.is_none()) return {};
  return [callback = callback.ptr(), last = std::chrono::steady_clock::time_point()](
             int epoch, std::int64_t images, const Losses& so_far) mutable {
    constexpr std::chrono::milliseconds kPeriod{100};
    const auto now = std::chrono::steady_clock::now();
    if (now - last < kPeriod) return;
    last = now;
    const nb::gil_scoped_acquire acquired;
    nb::borrow(callback)(epoch, images, so_far.loss);
  };
}

std::function<bool(const EpochResult&)> epoch_callback_of(const nb::object& callback) {
  if (callback.is_none()) return {};
  return [callback = callback.ptr()](const EpochResult& result) {
    const nb::gil_scoped_acquire acquired;
    return nb::cast<bool>(nb::bool_(nb::borrow(callback)(dict_of(result))));
  };
}

// Returns the rows of a call, which are on the CPU or on the device of the model.
Tensor rows_for(const Model& model, const nb::object& array, std::int64_t columns, const char* operation) {
  Tensor rows = rows_of(array, columns, operation);
  const Device device = model.vae().device();
  check(
      rows.device().is_cpu() || rows.device() == device, operation,
      "expected an array in host memory or on {}, where the model is, got one on {}: copy it, or choose the "
      "device of the model",
      device, rows.device());
  return rows;
}

// Releases the GIL and calls compute(). Then waits for the work on a GPU: the caller may free or change the
// memory of the arrays after the call, and the elements of results must be complete.
template <class Compute>
auto run_on(Device device, Compute compute) {
  const LibraryCall call;
  const Stream stream = Stream::current(device);
  try {
    auto result = compute();
    if (!device.is_cpu()) stream.synchronize();
    return result;
  } catch (...) {
    try {
      if (!device.is_cpu()) stream.synchronize();
    } catch (const Error&) {  // the first error is the one to report
    }
    throw;
  }
}

std::vector<nb::dict> train(Model& model, const nb::object& rows, const nb::object& validation, int epochs,
                            const nb::dict& settings, const nb::object& progress,
                            const nb::object& on_epoch) {
  const std::int64_t features = example_columns(model.vae().options());
  const Tensor examples = rows_for(model, rows, features, "fit");
  const Tensor held_out = validation.is_none() ? Tensor() : rows_for(model, validation, features, "fit");
  Settings s(settings);
  TrainingRun run;
  run.optimizer = optimizer_options(s);
  run.options = train_options(s);
  run.schedule = schedule_settings(s);
  run.output_bias = starts_at_data(s);
  run.epochs = epochs;
  s.check_all_used();
  run.on_progress = progress_of(progress);
  run.on_epoch = epoch_callback_of(on_epoch);
  run.stop = SignalCheck();
  const std::vector<EpochResult> results =
      run_on(model.vae().device(), [&] { return model.train(examples, held_out, run); });
  std::vector<nb::dict> history;
  for (const EpochResult& r : results) history.push_back(dict_of(r));
  return history;
}

// Calls a function of the model that maps rows to rows.
nb::object map(const Model& model, Tensor (Model::*function)(const Tensor&) const, const nb::object& array,
               std::int64_t columns, const char* operation) {
  const Tensor rows = rows_for(model, array, columns, operation);
  return to_python(run_on(model.vae().device(), [&] { return (model.*function)(rows); }));
}

nb::object score(const Model& model, const nb::object& array, std::int64_t samples, std::uint64_t seed) {
  const Tensor rows = rows_for(model, array, example_columns(model.vae().options()), "score_samples");
  return to_python(run_on(model.vae().device(), [&] {
    const std::vector<double> scores = model.score(rows, samples, seed);
    return Tensor::from(scores, {rows.shape()[0]}).to(rows.device());
  }));
}

// Returns the scores by name.
nb::dict scores(const Model& model, const nb::object& array, std::int64_t samples, std::uint64_t seed) {
  const Tensor rows = rows_for(model, array, example_columns(model.vae().options()), "scores");
  const RowScores scores = run_on(model.vae().device(), [&] { return model.scores(rows, samples, seed); });
  const auto array_of = [&](const std::vector<double>& values) {
    return to_python(Tensor::from(values, {rows.shape()[0]}));
  };
  nb::dict result;
  result["elbo"] = array_of(scores.elbo);
  result["reconstruction"] = array_of(scores.reconstruction);
  result["kl"] = array_of(scores.kl);
  result["log_likelihood"] = array_of(scores.log_likelihood);
  result["effective_samples"] = array_of(scores.effective_samples);
  return result;
}

// `condition` is None, or float32 [rows, conditions].
nb::tuple sample(const Model& model, std::int64_t rows, std::uint64_t seed, const nb::object& condition) {
  check(rows >= 1, "sample", "expected 1 or more rows, got {}", rows);
  const std::int64_t conditions = model.vae().options().conditions;
  const Tensor y = condition.is_none() ? Tensor() : rows_for(model, condition, conditions, "sample");
  Vae::Generated drawn;
  {
    const LibraryCall call;
    drawn = model.vae().sample_prior(rows, seed, y ? y.to(model.vae().device()) : y);
  }
  return nb::make_tuple(to_array(drawn.z), to_array(drawn.mean), to_array(drawn.x));
}

// `data` is the description of the training set in the metadata of a model file; or empty.
void set_exemplars(Model& model, const nb::object& array, const nb::dict& settings, const std::string& data) {
  const Tensor rows = rows_for(model, array, example_columns(model.vae().options()), "set_exemplars");
  Settings s(settings);
  const BatchOptions batches = batch_options(s);
  s.check_all_used();
  run_on(model.vae().device(), [&] {
    const TrainingData trained_on = data.empty() ? TrainingData() : read_data_json(data, "the model");
    model.set_exemplars(rows, batches, data.empty() ? nullptr : &trained_on);
    return 0;
  });
}

nb::object exemplars_of(const Model& model) {
  const Tensor rows = model.exemplars();
  return rows ? nb::cast(to_array(rows.clone())) : nb::none();
}

nb::dict parameters_of(const Model& model) {
  nb::dict all;
  for (const Parameter& p : model.vae().parameters())
    all[p.name.c_str()] = to_array(p.variable.value().clone());
  return all;
}

void set_parameter(Model& model, const std::string& name,
                   const nb::ndarray<const float, nb::c_contig>& array) {
  std::vector<std::int64_t> shape;
  for (std::size_t i = 0; i < array.ndim(); ++i) shape.push_back(static_cast<std::int64_t>(array.shape(i)));
  model.set_parameter(
      name, Tensor::view(const_cast<float*>(array.data()), Shape(std::span<const std::int64_t>(shape)),
                         DType::f32, Device::cpu()));
}

}  // namespace

void define_model(nb::module_& module) {
  using namespace nb::literals;
  nb::class_<Model>(
      module, "Model",
      "A VAE. Rows are C-contiguous float32 or uint8 arrays [rows, features], followed by the columns of "
      "a condition (for codes, too), in host memory, or "
      "DeviceArrays on the device of the model, where the results are then, too.")
      .def(
          "__init__",
          [](Model* place, std::int64_t features, const nb::dict& settings, const std::string& device,
             const std::optional<std::filesystem::path>& file) {
            make_model(place, features, settings, device, file);
          },
          "features"_a, "settings"_a, "device"_a, "file"_a = nb::none(),
          "Draws the initial parameters, or reads them from a safetensors file.")
      .def("train", &train, "rows"_a, "validation"_a.none(), "epochs"_a, "settings"_a, "progress"_a.none(),
           "on_epoch"_a.none(),
           "Trains and returns one dictionary per epoch. progress(epoch, rows, loss) is called at most ten "
           "times per second. Training stops after an epoch for which on_epoch(result) is true.")
      .def(
          "encode",
          [](const Model& m, const nb::object& x) {
            return map(m, &Model::encode, x, example_columns(m.vae().options()), "transform");
          },
          "rows"_a, "Returns the posterior means, float32 [rows, latent].")
      .def(
          "decode",
          [](const Model& m, const nb::object& z) {
            const VaeOptions& o = m.vae().options();
            return map(m, &Model::decode, z, o.latent + o.conditions, "inverse_transform");
          },
          "codes"_a, "Returns the means of p(x | z), float32 [rows, features].")
      .def(
          "reconstruct",
          [](const Model& m, const nb::object& x) {
            return map(m, &Model::reconstruct, x, example_columns(m.vae().options()), "reconstruct");
          },
          "rows"_a, "Returns the decoded posterior means, float32 [rows, features].")
      .def("score", &score, "rows"_a, "samples"_a, "seed"_a,
           "Returns log p(x) per row in nats, float64 [rows].")
      .def("scores", &scores, "rows"_a, "samples"_a, "seed"_a,
           "Returns a dictionary of scores per row in nats, float64 [rows] each, on the host: elbo, "
           "reconstruction, kl, log_likelihood, effective_samples.")
      .def("sample", &sample, "rows"_a, "seed"_a, "condition"_a = nb::none(),
           "Returns draws of z [rows, latent], and the means and draws of p(x | z) [rows, features].")
      .def("set_exemplars", &set_exemplars, "rows"_a, "settings"_a, "data"_a,
           "Gives the prior exemplar copies of the training rows. settings are binarize, threshold and seed; "
           "data is "
           "the description of the training set, which the rows must match, or \"\".")
      .def("exemplars", &exemplars_of, "Returns a copy of the exemplars, or None if there are none.")
      .def("parameters", &parameters_of, "Returns copies of the parameters by name.")
      .def("set_parameter", &set_parameter, "name"_a, "values"_a, "Overwrites a parameter.")
      .def("save", &Model::save, "path"_a, "metadata"_a, "Writes a safetensors file.")
      .def_prop_ro(
          "features", [](const Model& m) { return m.vae().options().features; }, "Values per row.")
      .def_prop_ro(
          "latent", [](const Model& m) { return m.vae().options().latent; }, "Values per code.")
      .def_prop_ro(
          "device", [](const Model& m) { return m.vae().device().text(); }, "The device of the parameters.");
}

}  // namespace gpuvae::python

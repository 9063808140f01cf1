// Trainers of the C interface.
#include <algorithm>
#include <climits>

#include "gpuvae/output_bias.h"
#include "src/c/records.h"
#include "src/c/status.h"
#include "src/c/structs.h"
#include "src/c/training_data.h"
#include "src/io/safetensors.h"

namespace gpuvae::c {
namespace {

struct TrainerRecord {
  TrainerRecord(std::shared_ptr<ModelRecord> of_model, const TrainerSettings& settings, const Dataset& train,
                const Dataset& validation)
      : model(std::move(of_model)),
        optimizer(model->vae.parameters(), settings.optimizer),
        trainer(model->vae, optimizer, train, validation, settings.train),
        epochs_before(std::max(model->epochs, 0)) {
    ++*model->trainers;
  }
  ~TrainerRecord() { --*model->trainers; }
  TrainerRecord(const TrainerRecord&) = delete;
  TrainerRecord& operator=(const TrainerRecord&) = delete;

  std::shared_ptr<ModelRecord> model;
  Optimizer optimizer;
  Trainer trainer;
  int epochs_before;  // epochs of the model before this trainer
  TrainingData data;
  Metadata order;            // see order_of()
  std::recursive_mutex use;  // recursive, because a callback may use the trainer that calls it
};

// Creates a trainer. The output biases come first, because the trainer's moving average starts at the weights
// that the model then has. An error leaves the model as it was.
std::shared_ptr<TrainerRecord> created_trainer(const std::shared_ptr<ModelRecord>& model,
                                               const TrainerSettings& settings, const Dataset& train,
                                               const Dataset& validation) {
  if (!settings.data_output_bias) return std::make_shared<TrainerRecord>(model, settings, train, validation);
  const Tensor before = model->vae.output().bias.value().clone();
  start_output_bias(model->vae, train, settings.train.data);
  try {
    return std::make_shared<TrainerRecord>(model, settings, train, validation);
  } catch (...) {
    model->vae.output().bias.value().copy_from(before);
    throw;
  }
}

std::shared_ptr<TrainerRecord> trainer_of(const gpuvae_trainer* handle, const char* operation) {
  return std::static_pointer_cast<TrainerRecord>(find_handle(HandleKind::trainer, handle, operation));
}

// Throws Error if another thread uses the trainer.
std::unique_lock<std::recursive_mutex> lock(TrainerRecord& trainer, const char* operation) {
  std::unique_lock lock(trainer.use, std::try_to_lock);
  check(lock.owns_lock(), operation, "expected a trainer that no other thread is using, got one in use");
  return lock;
}

gpuvae_losses losses_of(const Losses& losses) { return {losses.loss, losses.reconstruction, losses.kl}; }

gpuvae_epoch_result result_of(const EpochResult& epoch) {
  gpuvae_epoch_result result{};
  result.struct_size = sizeof result;
  result.epoch = epoch.epoch;
  result.train = losses_of(epoch.train);
  result.validation = losses_of(epoch.validation);
  result.train_seconds = epoch.train_seconds;
  result.validation_seconds = epoch.validation_seconds;
  result.complete = epoch.complete;
  result.skipped_steps = epoch.skipped;
  result.rewinds = epoch.rewinds;
  result.best = epoch.best;
  return result;
}

gpuvae_step_report report_of(const StepReport& step) {
  gpuvae_step_report report{};
  report.struct_size = sizeof report;
  report.step = step.step;
  report.epoch = step.epoch;
  report.losses = losses_of(step.losses);
  report.learning_rate = step.learning_rate;
  return report;
}

// Creates a trainer. The exemplars of the model are then its training examples.
std::shared_ptr<TrainerRecord> new_trainer(const std::shared_ptr<ModelRecord>& model,
                                           const gpuvae_array* train, const gpuvae_array* validation,
                                           TrainerSettings settings, const char* operation) {
  const Binarize binarize = settings.train.data.binarize;
  const ExampleRules& rules = model->rules;
  const Dataset features = examples_of(train, rules, binarize, operation);
  const Dataset examples = with_condition(features, settings.condition, rules.condition, binarize, operation);
  const Dataset on_device = examples.to(model->vae.device());
  Dataset of_validation;
  check(validation || !settings.validation_condition, operation,
        "expected NULL as validation_condition without validation examples, got an array");
  if (validation)
    of_validation =
        examples_on_device(validation, settings.validation_condition, *model, binarize, operation);
  settings.train.schedule =
      make_schedule(settings.schedule, settings.optimizer.learning_rate, settings.schedule_epochs,
                    steps_per_epoch(settings.train, examples.count()));
  auto created = created_trainer(model, settings, on_device, of_validation);
  created->data = training_data(*model, features, examples, of_validation, binarize);
  created->order = order_of(created->data, settings.train);
  if (model->exemplars) {
    model->exemplars->set(on_device, settings.train.data);
    model->exemplar_data = settings.train.data;
  }
  return created;
}

// Calls a callback of the user, which may be written in C++ and throw.
template <class Report>
TrainControl call(int (*callback)(const Report*, void*), const Report& report, void* user) {
  try {
    return callback(&report, user) == GPUVAE_CONTINUE ? TrainControl::proceed : TrainControl::stop;
  } catch (const std::exception& error) {
    throw CallbackError(std::string("expected a callback that does not throw, got ") + error.what());
  } catch (...) {
    throw CallbackError("expected a callback that does not throw, got an exception of an unknown type");
  }
}

// Runs `work` and notes in the model what it was trained on, even if an error ends the training.
template <class Work>
void train(TrainerRecord& trainer, const Work& work) {
  const auto note = [&] {
    trainer.model->trained = trainer.data;
    trainer.model->epochs = trainer.epochs_before + trainer.trainer.epochs_done();
  };
  try {
    work();
  } catch (...) {
    note();
    throw;
  }
  note();
}

}  // namespace
}  // namespace gpuvae::c

using namespace gpuvae::c;

extern "C" {

gpuvae_status gpuvae_train_options_init(gpuvae_train_options* options, size_t struct_size) {
  constexpr const char* kName = "gpuvae_train_options_init";
  return guarded(kName, [&] { init_struct(options, struct_size, default_train_options(), kName); });
}

gpuvae_status gpuvae_trainer_create(gpuvae_model* model, const gpuvae_array* train,
                                    const gpuvae_array* validation, const gpuvae_train_options* options,
                                    gpuvae_trainer** trainer) {
  constexpr const char* kName = "gpuvae_trainer_create";
  return guarded(kName, [&] {
    check_result(trainer, kName);
    const auto record = model_of(model, kName);
    auto created = new_trainer(record, train, validation, trainer_settings(options, kName), kName);
    *trainer = static_cast<gpuvae_trainer*>(add_handle(HandleKind::trainer, std::move(created)));
  });
}

gpuvae_status gpuvae_trainer_free(gpuvae_trainer* trainer) {
  constexpr const char* kName = "gpuvae_trainer_free";
  return guarded(kName, [&] {
    if (trainer) remove_handle(HandleKind::trainer, trainer, kName);
  });
}

gpuvae_status gpuvae_trainer_on_steps(gpuvae_trainer* trainer, uint64_t every, gpuvae_step_callback callback,
                                      void* user) {
  constexpr const char* kName = "gpuvae_trainer_on_steps";
  return guarded(kName, [&] {
    const auto record = trainer_of(trainer, kName);
    const auto held = lock(*record, kName);
    gpuvae::check(callback != nullptr, kName, "expected a callback, got NULL");
    record->trainer.on_steps(every, [callback, user](const gpuvae::StepReport& step) {
      return call(callback, report_of(step), user);
    });
  });
}

gpuvae_status gpuvae_trainer_on_epoch(gpuvae_trainer* trainer, gpuvae_epoch_callback callback, void* user) {
  constexpr const char* kName = "gpuvae_trainer_on_epoch";
  return guarded(kName, [&] {
    const auto record = trainer_of(trainer, kName);
    const auto held = lock(*record, kName);
    gpuvae::check(callback != nullptr, kName, "expected a callback, got NULL");
    record->trainer.on_epoch([callback, user](const gpuvae::EpochResult& epoch) {
      return call(callback, result_of(epoch), user);
    });
  });
}

gpuvae_status gpuvae_trainer_run_epochs(gpuvae_trainer* trainer, int64_t epochs, gpuvae_epoch_result* last) {
  constexpr const char* kName = "gpuvae_trainer_run_epochs";
  return guarded(kName, [&] {
    const auto record = trainer_of(trainer, kName);
    const auto held = lock(*record, kName);
    gpuvae::check(epochs >= 0 && epochs <= INT_MAX, kName, "expected 0 to {} epochs, got {}", INT_MAX,
                  epochs);
    const std::size_t size = last ? struct_size_of(last, kName) : 0;
    gpuvae_epoch_result result{};
    train(*record, [&] {
      const auto results = record->trainer.run_epochs(static_cast<int>(epochs));
      if (!results.empty()) result = result_of(results.back());
    });
    if (last) write_struct(last, size, result);
  });
}

gpuvae_status gpuvae_trainer_run_steps(gpuvae_trainer* trainer, uint64_t steps, gpuvae_steps_result* result) {
  constexpr const char* kName = "gpuvae_trainer_run_steps";
  return guarded(kName, [&] {
    const auto record = trainer_of(trainer, kName);
    const auto held = lock(*record, kName);
    const std::size_t size = result ? struct_size_of(result, kName) : 0;
    gpuvae_steps_result done{};
    train(*record, [&] {
      const gpuvae::StepsResult of_steps = record->trainer.run_steps(steps);
      done.steps = of_steps.steps;
      done.losses = losses_of(of_steps.losses);
      done.stopped = of_steps.stopped;
    });
    if (result) write_struct(result, size, done);
  });
}

gpuvae_status gpuvae_trainer_load_weights(gpuvae_trainer* trainer, const char* which) {
  constexpr const char* kName = "gpuvae_trainer_load_weights";
  return guarded(kName, [&] {
    const auto record = trainer_of(trainer, kName);
    const auto held = lock(*record, kName);
    const std::string_view name = which ? which : "";
    gpuvae::check(name == "best" || name == "evaluated", kName, "expected best or evaluated, got {}",
                  gpuvae::io::printable(name));
    record->trainer.load_weights(name == "best" ? gpuvae::ModelWeights::best
                                                : gpuvae::ModelWeights::evaluated);
  });
}

gpuvae_status gpuvae_trainer_set_learning_rate(gpuvae_trainer* trainer, double learning_rate) {
  constexpr const char* kName = "gpuvae_trainer_set_learning_rate";
  return guarded(kName, [&] {
    const auto record = trainer_of(trainer, kName);
    const auto held = lock(*record, kName);
    record->optimizer.set_learning_rate(learning_rate);
  });
}

gpuvae_status gpuvae_trainer_save(gpuvae_trainer* trainer, const char* path) {
  constexpr const char* kName = "gpuvae_trainer_save";
  return guarded(kName, [&] {
    const auto record = trainer_of(trainer, kName);
    const auto held = lock(*record, kName);
    gpuvae::Metadata metadata = record->order;
    metadata[kEpochsBeforeKey] = std::to_string(record->epochs_before);
    gpuvae::save_checkpoint(path_of(path, kName), record->model->vae.parameters(), record->optimizer,
                            record->trainer.state(), metadata);
  });
}

gpuvae_status gpuvae_trainer_restore(gpuvae_trainer* trainer, const char* path) {
  constexpr const char* kName = "gpuvae_trainer_restore";
  return guarded(kName, [&] {
    const auto record = trainer_of(trainer, kName);
    const auto held = lock(*record, kName);
    const gpuvae::Metadata metadata = gpuvae::io::read_safetensors_metadata(path_of(path, kName));
    check_order(path, metadata, record->order);
    const gpuvae::TrainingState state =
        gpuvae::restore_checkpoint(path, record->model->vae.parameters(), record->optimizer);
    record->epochs_before = std::max(gpuvae::whole_of(metadata, kEpochsBeforeKey), 0);
    train(*record, [&] { record->trainer.resume(state); });
  });
}

}  // extern "C"

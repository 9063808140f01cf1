#include "apps/common/train_app.h"

#include <fmt/format.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <new>

#include "apps/common/pictures.h"
#include "apps/common/progress.h"
#include "src/io/csv.h"
#include "src/io/file.h"

namespace gpuvae::apps {
namespace {

namespace fs = std::filesystem;

ImageSet first_images(const ImageSet& set, std::int64_t count) {
  return count > 0 && count < set.count() ? set.slice(0, count) : set;
}

std::vector<std::string> metric_comments(const RunConfig& c) {
  std::vector<std::string> lines = {
      c.pixel_mean
          ? "reconstruction: mean over the pixels, kl: sum over the latent dimensions, nats; not an ELBO"
          : "losses: nats per image, mean over the images; loss = reconstruction + beta * kl = -ELBO at beta "
            "1",
      "train_*: while training, with the weights of the moment; val_*: after the epoch"};
  return lines;
}

std::string unit_of(const RunConfig& c) { return c.pixel_mean ? "nats (pixel mean)" : "nats/image"; }

class Run {
 public:
  Run(const Program& program, const RunConfig& config)
      : config_(config), folder_(config.out), device_(Device::parse(config.device)) {
    io::make_folder(folder_);
    io::write_file(folder_ / "config.toml", to_toml(config, program.name));
    const Split split = program.load(config);
    std::fprintf(stderr, "data    %s: %lld training and %lld validation images of %dx%d\n",
                 split.source.c_str(),
                 static_cast<long long>(first_images(split.train, config.train_images).count()),
                 static_cast<long long>(first_images(split.test, config.validation_images).count()),
                 split.train.width, split.train.height);
    train_ = first_images(split.train, config.train_images).to(device_);
    validation_ = first_images(split.test, config.validation_images).to(device_);
    model_ = std::make_unique<Vae>(config.model(train_.pixels()), device_);
    optimizer_ = std::make_unique<Optimizer>(model_->parameters(), config.optimizer);
    trainer_ = std::make_unique<Trainer>(*model_, *optimizer_, train_, validation_, config.training());
    announce();
  }

  void train() {
    io::CsvWriter metrics(folder_ / "metrics.csv",
                          {"epoch", "train_loss", "train_reconstruction", "train_kl", "val_loss",
                           "val_reconstruction", "val_kl", "train_seconds", "val_seconds"},
                          metric_comments(config_));
    Progress progress(config_.epochs, trainer_->images_per_epoch(), unit_of(config_));
    for (int epoch = 1; epoch <= config_.epochs; ++epoch) {
      const EpochResult r = run_epoch(epoch, progress);
      const Losses &t = r.train, &v = r.validation;
      metrics.append({double(r.epoch), t.loss, t.reconstruction, t.kl, v.loss, v.reconstruction, v.kl,
                      r.train_seconds, r.validation_seconds});
      save(epoch);
      progress.finish_epoch(epoch_line(r));
    }
    if (config_.epochs == 0) save(0);
  }

  void draw() const {
    const int h = train_.height, w = train_.width;
    write_manifold(*model_, config_.manifold, config_.manifold_edge, h, w, folder_ / "manifold.png");
    write_reconstructions(*model_, validation_, config_.reconstructions, folder_ / "reconstructions.png");
    write_samples(*model_, config_.samples, config_.seed, h, w, folder_ / "samples.png");
    std::fprintf(stderr,
                 "wrote   %s/: manifold.png, reconstructions.png, samples.png, metrics.csv, config.toml, "
                 "model.safetensors\n",
                 folder_.c_str());
  }

 private:
  void announce() const {
    std::fprintf(stderr, "device  %s (%s)\n", device_.text().c_str(), device_.description().c_str());
    std::fprintf(stderr, "model   %lld parameters, %lld latent dimensions, preset %s, seed %llu\n",
                 static_cast<long long>(model_->parameter_count()), static_cast<long long>(config_.latent),
                 config_.preset.c_str(), static_cast<unsigned long long>(config_.seed));
    if (config_.pixel_mean)
      std::fprintf(stderr, "loss    reconstruction is a mean over the pixels: this is not an ELBO\n");
  }

  // A run that diverges leaves the model of the last good epoch.
  EpochResult run_epoch(int epoch, Progress& progress) {
    try {
      return trainer_->run_epoch(
          [&](std::int64_t images, const Losses& so_far) { progress.update(epoch, images, so_far.loss); });
    } catch (const Error& error) {
      if (epoch == 1) throw;
      throw std::runtime_error(fmt::format("{}; {} holds epoch {}", error.what(),
                                           (folder_ / "model.safetensors").string(), epoch - 1));
    }
  }

  EpochLine epoch_line(const EpochResult& r) const {
    EpochLine line;
    line.epoch = r.epoch;
    line.train = r.train.loss;
    line.reconstruction = r.train.reconstruction, line.kl = r.train.kl;
    line.seconds = r.train_seconds;
    if (validation_.count() == 0) return line;
    line.val = r.validation.loss;
    line.reconstruction = r.validation.reconstruction, line.kl = r.validation.kl;
    return line;
  }

  void save(int epoch) const {
    save_parameters(folder_ / "model.safetensors", model_->parameters(),
                    {{"format", "gpuvae"}, {"preset", config_.preset}, {"epochs", std::to_string(epoch)}});
  }

  RunConfig config_;
  fs::path folder_;
  Device device_;
  ImageSet train_, validation_;
  std::unique_ptr<Vae> model_;
  std::unique_ptr<Optimizer> optimizer_;
  std::unique_ptr<Trainer> trainer_;
};

}  // namespace

void train_and_write(const Program& program, const RunConfig& config) {
  Run run(program, config);
  run.train();
  run.draw();
}

int run_guarded(const std::string& program, const std::function<void()>& body) {
  try {
    body();
    return 0;
  } catch (const std::bad_alloc&) {
    std::fprintf(stderr, "%s: out of memory\n", program.c_str());
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s: %s\n", program.c_str(), error.what());
  }
  return 1;
}

void calm_openmp(char** argv) {
  constexpr const char* kSpins = "2000";  // about the gaps within a step: see bench/NOTES.md
  if (std::getenv("OMP_WAIT_POLICY") || std::getenv("GOMP_SPINCOUNT")) return;
  setenv("GOMP_SPINCOUNT", kSpins, 1);
  execv("/proc/self/exe", argv);  // returns only if it failed: then the default must do
}

}  // namespace gpuvae::apps

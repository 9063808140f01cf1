// The bytes of protobuf messages, and models that ONNX files cannot hold. onnx_test.py compares the outputs.
#include "gpuvae/onnx.h"

#include <gtest/gtest.h>

#include <limits>

#include "src/io/file.h"
#include "src/io/protobuf.h"
#include "tests/temporary_folder.h"

namespace gpuvae {
namespace {

using test::error_of;
using test::TemporaryFolder;

// The first three are the examples of protobuf.dev/programming-guides/encoding.
TEST(Protobuf, WritesTheWireFormat) {
  io::ProtobufMessage number, text, outer, negative, real;
  number.integer(1, 150);
  EXPECT_EQ(number.bytes(), std::string("\x08\x96\x01"));
  text.text(2, "testing");
  EXPECT_EQ(text.bytes(), "\x12\x07testing");
  outer.message(3, number);
  EXPECT_EQ(outer.bytes(), std::string("\x1a\x03\x08\x96\x01"));
  negative.integer(1, -2);
  EXPECT_EQ(negative.bytes(), std::string("\x08\xfe\xff\xff\xff\xff\xff\xff\xff\xff\x01"));
  real.number(20, 1.0f);
  EXPECT_EQ(real.bytes(), std::string("\xa5\x01\x00\x00\x80\x3f", 6));
}

class OtherLikelihood final : public Likelihood {
 public:
  std::string name() const override { return "other"; }
  Variable log_density(const Variable& params, const Variable&) const override { return params; }
  Variable mean(const Variable& params) const override { return params; }
};

class OtherPosterior final : public Posterior {
 public:
  std::string name() const override { return "other"; }
  Variable mean(const Variable& params) const override { return params; }
  Variable rsample(const Variable& params, const Draw&) const override { return params; }
  Variable log_density(const Variable& params, const Variable&) const override { return params; }
};

TEST(Onnx, RefusesCustomDistributions) {
  const TemporaryFolder folder;
  const Vae model({.features = 4,
                   .encoder_widths = {3},
                   .posterior = std::make_shared<OtherPosterior>(),
                   .likelihood = std::make_shared<OtherLikelihood>()},
                  Device::cpu());
  EXPECT_EQ(error_of([&] { export_onnx_encoder(model, folder / "e"); }),
            "[export_onnx] expected a diagonal Gaussian posterior, got other");
  EXPECT_EQ(error_of([&] { export_onnx_decoder(model, folder / "d"); }),
            "[export_onnx] expected a Bernoulli, continuous Bernoulli, Gaussian, Laplace or logistic "
            "likelihood, got other");
  EXPECT_TRUE(folder.names().empty());
}

TEST(Onnx, RefusesParametersThatAreNotFinite) {
  const TemporaryFolder folder;
  const Vae model({.features = 4, .encoder_widths = {3}}, Device::cpu());
  model.output().bias.value().fill(std::numeric_limits<double>::infinity());
  EXPECT_EQ(error_of([&] { export_onnx_decoder(model, folder / "d"); }),
            "[export_onnx] expected finite parameters, got inf in output.bias");
  export_onnx_encoder(model, folder / "e");
  EXPECT_EQ(folder.names(), std::vector<std::string>{"e"});
}

TEST(Onnx, TheFileNamesItsProducer) {
  const TemporaryFolder folder;
  export_onnx_encoder(Vae({.features = 4, .encoder_widths = {3}}, Device::cpu()), folder / "e");
  // ir_version 8, then producer_name.
  EXPECT_EQ(io::read_file(folder / "e").substr(0, 10), "\x08\x08\x12\x06gpuvae");
}

}  // namespace
}  // namespace gpuvae

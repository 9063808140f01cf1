# `make mnist` builds mnist_vae and the library, trains a VAE and draws what it learned. `make test` builds everything that
# its tests need, and runs them. On Debian and Ubuntu both first install the packages that are missing. Elsewhere they
# print the list of packages.
PRESET ?= release
BUILD := build/$(PRESET)
JOBS ?= $(shell nproc)
PACKAGES := g++ cmake ninja-build libdnnl-dev libhwy-dev libfmt-dev zlib1g-dev libdeflate-dev libpng-dev libjpeg-dev \
            nlohmann-json3-dev libstb-dev libcli11-dev libeigen3-dev libgtest-dev libbenchmark-dev
# The tests of the HTML pages need a browser, one test of MATLAB files needs libmatio, runs on several processes need MPI,
# and the Python package needs Python's headers. These tests are skipped if the distribution has no packages of these names.
TEST_PACKAGES := chromium-headless-shell libmatio-dev libopenmpi-dev openmpi-bin python3-dev python3-venv
SUDO := $(shell [ "$$(id -u)" = 0 ] || command -v sudo)

.PHONY: mnist frey fetch test slow python modes profile build benchmarks configure deps wheel bench bench-peers gpu-check
.PHONY: mutants reproduce reproduce-published docs interop tidy check-format format asan tsan fuzz coverage install package clean
.DEFAULT_GOAL := build

mnist: NEED := t10k-labels-idx1-ubyte.gz
mnist: configure fetch
	cmake --build --preset $(PRESET) -j $(JOBS) --target mnist_vae
	$(BUILD)/bin/mnist_vae $(ARGS)

frey: NEED := frey_rawface.mat
frey: configure fetch
	cmake --build --preset $(PRESET) -j $(JOBS) --target frey_vae
	$(BUILD)/bin/frey_vae $(ARGS)

# Downloads the data sets once. If the download fails, the programs train on built-in digits and faces.
NEED := frey_rawface.mat
fetch:
	@[ -n "$$GPUVAE_DATA_DIR" ] || [ -e data/$(NEED) ] || bash data/fetch.sh >/dev/null 2>&1 || true

test slow asan tsan: WANTED := $(TEST_PACKAGES)
test: python build
	cd $(BUILD) && ctest --output-on-failure -j $(JOBS) -LE slow

# Runs the tests that `make test` leaves out, because they take long: of kills at any time, and of the measuring programs,
# which `make test` does not even build.
slow: python benchmarks
	cd $(BUILD) && ctest --output-on-failure -j $(JOBS) -L slow

# Creates an environment with what the Python package and its tests need. Without it, they are skipped.
PYTHON_ENVIRONMENT := build/python
PYTHON_ARGS = $(shell [ ! -e $(PYTHON_ENVIRONMENT)/complete ] || echo -DPython_EXECUTABLE=$(CURDIR)/$(PYTHON_ENVIRONMENT)/bin/python)
python:
	@[ -e $(PYTHON_ENVIRONMENT)/complete ] || { \
	  python3 -m venv $(PYTHON_ENVIRONMENT) && \
	  $(PYTHON_ENVIRONMENT)/bin/python -m pip install -q --disable-pip-version-check nanobind numpy pytest && \
	  touch $(PYTHON_ENVIRONMENT)/complete; } || echo "continuing without the Python package"

# Runs the tests on the emulated CUDA device in all other modes (orders, numerics, architectures; tests/ptx/README.md).
modes: build
	cd $(BUILD) && ctest --output-on-failure -j $(JOBS) -C modes -R '^ptx\.modes'

# Builds the Python package as a wheel for the running Python, in build/dist. Needs pip, which downloads scikit-build-core
# and nanobind for the build. `pip install build/dist/gpuvae-*.whl` installs it.
wheel: deps
	CMAKE_ARGS="$(CMAKE_ARGS)" python3 -m pip wheel --no-deps -w build/dist .

# Rewrites tests/ptx/profile.json: the cost of each CUDA kernel, which the test ptx.profile takes as the limit.
profile: build
	tests/ptx/check_profile.py --run $(BUILD)/bin/gpuvae_ptx_tests --update

build: configure
	cmake --build --preset $(PRESET) -j $(JOBS)

# Builds the measuring programs of bench/, too.
benchmarks: build
	cmake --build --preset $(PRESET) -j $(JOBS) --target gpuvae_benchmarks

configure: deps
	cmake --preset $(PRESET) $(PYTHON_ARGS) $(CMAKE_ARGS)

# Installs only packages that dpkg does not list as installed, so that a second run needs neither network nor root.
deps:
	@if ! command -v dpkg-query >/dev/null; then \
	  echo "gpuvae needs (Debian's names): $(PACKAGES) $(WANTED)"; \
	else \
	  installed() { dpkg-query -W -f='$${Status}' $$1 2>/dev/null | grep -q 'ok installed'; }; \
	  install() { \
	    echo "installing $$*"; \
	    $(SUDO) env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$$@" >/dev/null; }; \
	  missing=; for p in $(PACKAGES); do installed $$p || missing="$$missing $$p"; done; \
	  if [ -n "$$missing" ]; then $(SUDO) apt-get update -qq && install $$missing || exit 1; fi; \
	  for p in $(WANTED); do \
	    installed $$p || ! apt-cache show $$p >/dev/null 2>&1 || install $$p || echo "continuing without $$p"; done; \
	fi

# Times fused and unfused operations, steps and epochs. Writes tables and figures to build/bench/ and, if the machine was
# quiet, describes the run in bench/RESULTS.md. Needs python3. ARGS=--quick measures smaller sizes with fewer samples.
bench: benchmarks
	bench/report --bin $(BUILD)/bin --publish $(ARGS)

# Checks a GPU in at most eight minutes: build/gpu-check/gpu-check.md says what passed, what failed and what to do next.
# Needs python3. ARGS=--quick takes three minutes. CONTRIBUTING.md describes the other options.
gpu-check: benchmarks
	bench/gpu_check --bin $(BUILD)/bin $(ARGS)

# Changes one instruction of a kernel at a time and shows which changes the tests find. Writes tests/ptx/mutants.md in
# about half an hour. Needs nvcc and python3.
mutants: configure
	cmake --build --preset $(PRESET) -j $(JOBS) --target gpuvae_ptx_tests
	tests/ptx/mutants.py $(BUILD)/bin/gpuvae_ptx_tests --write tests/ptx/mutants.md $(ARGS)

# Times the same training in PyTorch, libtorch, JAX, Keras and gpuvae alternately, then gpuvae and the two fastest beside
# a busy process, and finally the time to the published losses. Estimate for a quiet machine with two cores: up to two
# hours for run.py, half of it with ARGS=--short, and two to three hours for time_to_loss, which continues if it is
# interrupted (LOSS_ARGS=--quick: some minutes). It needs python3. The first run downloads about 3 GB of packages, which
# take 7 GB in build/peers-venv.
bench-peers: benchmarks
	bench/peers/run.py --bin $(BUILD)/bin --busy $(ARGS)
	bench/time_to_loss --bin $(BUILD)/bin $(LOSS_ARGS)

# Trains models with today's objectives, posteriors, priors and likelihoods, and compares their losses with bands, which
# takes about an hour. ARGS=--long runs the published protocols, which take days; it prints an estimate first. Both
# continue where they were stopped. They need python3 and the original data (data/fetch.sh, or GPUVAE_DATA_DIR).
reproduce: python build
	$(PYTHON_ENVIRONMENT)/bin/python bench/bands --bin $(BUILD)/bin --package $(BUILD)/python $(ARGS)

# Trains the five published systems and prints a table of their losses, which takes an hour or more, with the same needs.
reproduce-published: build
	bench/reproduce --bin $(BUILD)/bin $(ARGS)

# Writes the PyTorch and Keras models of the tests again, loads them, and compares ONNX Runtime with exported models. It
# needs python3. The first run downloads about 3 GB of packages to build/interop-venv.
interop: configure
	cmake --build --preset $(PRESET) -j $(JOBS) --target gpuvae_tests onnx_models
	tests/interop/run.sh $(BUILD)/bin

# ThreadSanitizer otherwise ends the processes that tests fork.
tsan: export TSAN_OPTIONS := die_after_fork=0 suppressions=$(CURDIR)/tests/tsan.supp
asan tsan: deps
	cmake --preset $@ && cmake --build --preset $@ -j $(JOBS) && cd build/$@ && ctest --output-on-failure -j $(JOBS) -LE slow

# Gives damaged inputs to every reader of files for FUZZ_SECONDS per reader (tests/fuzz), as many readers at a time as
# there are cores. Needs clang. A finding fails. ARGS="table mat" runs only these readers.
FUZZ_SECONDS ?= 600
fuzz: PACKAGES += clang python3
fuzz: WANTED := libclang-rt-dev
fuzz: deps
	cmake --preset fuzz $(CMAKE_ARGS) && cmake --build --preset fuzz -j $(JOBS) --target gpuvae_fuzz
	tests/fuzz/run.py --bin build/fuzz/bin --seconds $(FUZZ_SECONDS) --jobs $(JOBS) $(ARGS)

# Prints the share of the lines of src/io and src/data that the tests execute, by file. Needs python3.
coverage: deps
	cmake --preset coverage $(CMAKE_ARGS)
	cmake --build --preset coverage -j $(JOBS) --target gpuvae_tests gpuvae_fuzz_replay mnist_vae vae
	cd build/coverage && ctest --output-on-failure -R '^(cpu.units|fuzz.replay|app.vae|app.run_folder)$$'
	tests/coverage.py build/coverage $(ARGS)

# The public headers as web pages: build/docs/html/index.html. A declaration without documentation is an error.
docs: WANTED := doxygen
docs: deps
	@mkdir -p build
	@if command -v doxygen >/dev/null; then doxygen include/Doxyfile; else echo "docs: skipped, because there is no doxygen"; fi

# The checks of .clang-tidy on the folders TIDY.
TIDY ?= src kernels apps bench
tidy: WANTED := clang-tidy
tidy: deps
	cmake --preset $(PRESET) -B build/tidy -DCMAKE_DISABLE_PRECOMPILE_HEADERS=ON -DGPUVAE_UNITY=OFF -DGPUVAE_WERROR=OFF >/dev/null
	@# clang-tidy does not know the first option of g++. One of Highway's instruction sets is enough.
	sed -i 's/ -fno-gnu-unique//; s/ -c / -DHWY_COMPILE_ONLY_STATIC -c /' build/tidy/compile_commands.json
	@command -v clang-tidy >/dev/null || echo "tidy: clang-tidy skipped, because it is missing"
	! command -v clang-tidy >/dev/null || git ls-files $(patsubst %,'%/**.cpp',$(TIDY)) | grep -v bench/peers | \
	  { grep -q src/python/ build/tidy/compile_commands.json && cat || grep -v ^src/python/; } | \
	  xargs -P $(JOBS) -n 4 clang-tidy -p build/tidy --quiet --extra-arg=-Wno-unknown-warning-option

# Fails if clang-format would change a source.
check-format: WANTED := clang-format
check-format: deps
	! command -v clang-format >/dev/null || git ls-files '*.h' '*.c' '*.cpp' '*.cu' '*.cuh' | xargs clang-format --dry-run --Werror

format:
	git ls-files '*.h' '*.c' '*.cpp' '*.cu' '*.cuh' | xargs clang-format -i

# Builds and installs the library alone. With tests, it would contain the PTX that they execute.
install: deps
	cmake --preset $(PRESET) -B build/install -DGPUVAE_APPS=OFF -DGPUVAE_TESTS=OFF -DGPUVAE_BENCH=OFF $(CMAKE_ARGS)
	cmake --build build/install -j $(JOBS) && cmake --install build/install

# Builds Debian packages of the library, of what programs need to build with it, and of the programs: build/package/*.deb.
package: deps
	cmake --preset $(PRESET) -B build/package -DCMAKE_INSTALL_PREFIX=/usr -DGPUVAE_TESTS=OFF -DGPUVAE_BENCH=OFF $(CMAKE_ARGS)
	cmake --build build/package -j $(JOBS) && cd build/package && cpack -G DEB

clean:
	rm -rf build

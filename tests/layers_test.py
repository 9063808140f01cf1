"""Checks the layers of ARCHITECTURE.md: a file includes only headers of its own folder and of layers below it."""

import re
import tempfile
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

# The layers from the bottom to the top. Folders on the same line must not use each other. A public header
# "gpuvae/NAME.h" is listed after the folder that implements it.
LAYERS = [
    ["gpuvae: language enums types error log version shape"],
    ["gpuvae/device: device/host_device device/scalar device/shared_formulas device/normal device/random "
     "device/continuous_bernoulli device/posterior device/activation_formulas device/activation "
     "device/likelihood_formulas device/discrete_formulas device/likelihood"],
    ["kernels/math"],
    ["kernels"],
    ["kernels/cpu", "kernels/cuda"],
    ["src/core: device memory memory_resource tensor random graph cuda threads"],
    ["src/autograd: autograd custom"],
    ["src/ops: ops"],
    ["src/io: safetensors", "src/nn: nn"],
    ["src/data: data", "src/optim: optim average schedule"],
    ["src/distributions: distributions exemplar_prior"],
    ["src/vae: vae objective weights onnx export_header"],
    ["src/train: train train_many distributed evaluate output_bias"],
    ["gpuvae.h: gpuvae", "src/c: c", "src/python"],
    ["apps/plot", "apps/cli"],
    ["apps/run"],
    ["apps/report"],
    ["apps/sweep"],
    ["apps/program"],
    ["apps"],
]

INCLUDE = re.compile(r'^\s*#\s*include\s+["<]((?:gpuvae|kernels|src|apps|bench|tests)/[^">]+)[">]', re.M)
SOURCES = {".h", ".c", ".cpp", ".cu", ".cuh"}


def layers():
    """Returns the height of each folder in LAYERS, and the folder of each public header."""
    height, folder_of = {}, {}
    for level, folders in enumerate(LAYERS):
        for entry in folders:
            folder, _, headers = entry.partition(": ")
            height[folder] = level
            folder_of.update({f"gpuvae/{name}.h": folder for name in headers.split()})
    return height, folder_of


HEIGHT, FOLDER_OF = layers()


def folder_of(path):
    """Returns the layer of a file or of an included header, or None if it has none."""
    path = path.removeprefix("include/")
    if path.startswith("gpuvae/"):
        return FOLDER_OF.get(path)
    folder = str(Path(path).parent)
    while folder != "." and folder not in HEIGHT:
        folder = str(Path(folder).parent)
    return None if folder == "." or folder == "src" else folder


def mistake(path, included):
    """Returns what is wrong with an include directive of a file, or None."""
    user, used = folder_of(path), folder_of(included)
    if user is None:
        return "is in no layer of tests/layers_test.py"
    if path.startswith("apps/examples/"):
        return None if included.startswith("gpuvae/") else f"is an example, and includes {included}, which is private"
    if path.startswith("include/") and not included.startswith("gpuvae/"):
        return f"is a public header, and includes {included}, which is private"
    if used is None:
        return f"includes {included}, which is in no layer of tests/layers_test.py"
    if used != user and HEIGHT[used] >= HEIGHT[user]:
        return f"({user}) includes {included} ({used}), which is not below it"
    return None


def violations(root):
    found = []
    for top in ["include", "kernels", "src", "apps"]:
        for file in sorted((root / top).rglob("*")):
            if file.suffix not in SOURCES:
                continue
            path = str(file.relative_to(root))
            for included in INCLUDE.findall(file.read_text()):
                if wrong := mistake(path, included):
                    found.append(f"{path} {wrong}")
    return found


def public_headers():
    """Returns the text of each public header for C++ that declares functions or classes, by name."""
    headers = {file.name: file.read_text() for file in (ROOT / "include/gpuvae").glob("*.h")}
    return {name: text for name, text in headers.items() if name not in {"c.h", "enums.h", "gpuvae.h", "language.h"}}


class Layers(unittest.TestCase):
    def test_public_headers_export_their_declarations(self):
        for name, text in public_headers().items():
            with self.subTest(name):
                self.assertIn("#pragma GCC visibility push(default)\nnamespace gpuvae {\n", text)
                self.assertTrue(text.endswith("}  // namespace gpuvae\n#pragma GCC visibility pop\n"))

    def test_public_headers_check_the_language(self):
        headers = public_headers()
        checked = {"language.h"}
        for _ in headers:
            checked |= {name for name, text in headers.items() if checked & set(re.findall(r'"gpuvae/(\w+\.h)"', text))}
        self.assertEqual(set(headers) - checked, set())

    def test_no_file_includes_a_layer_above_it(self):
        self.assertEqual(violations(ROOT), [])

    def test_the_pattern_finds_includes(self):
        self.assertGreater(sum(len(INCLUDE.findall(f.read_text())) for f in (ROOT / "src").rglob("*.cpp")), 100)

    def check_planted(self, path, included, reason):
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / path
            file.parent.mkdir(parents=True)
            file.write_text(f'// A header.\n#include <vector>\n\n#include "{included}"\n')
            found = violations(Path(folder))
            if reason is None:
                self.assertEqual(found, [])
            else:
                self.assertEqual(len(found), 1)
                self.assertIn(reason, found[0])

    def test_planted_violations_are_found(self):
        for path, included in [
            ("apps/plot/axes.cpp", "apps/report/figures.h"),
            ("apps/plot/axes.cpp", "apps/cli/grid.h"),
            ("apps/run/session.cpp", "apps/report/eval.h"),
            ("apps/report/eval.cpp", "apps/program/commands.h"),
            ("src/core/tensor.cpp", "gpuvae/vae.h"),
            ("src/core/tensor.cpp", "src/ops/op.h"),
            ("src/train/trainer.cpp", "apps/run/session.h"),
            ("kernels/cpu/gemm/gemm.cpp", "src/core/memory.h"),
            ("kernels/cuda/gemm/gemm.cpp", "kernels/cpu/backend.h"),
            ("kernels/math/functions.h", "kernels/backend.h"),
            ("include/gpuvae/ops.h", "gpuvae/train.h"),
        ]:
            self.check_planted(path, included, "not below it")
        self.check_planted("include/gpuvae/ops.h", "src/ops/op.h", "which is private")
        self.check_planted("apps/examples/a.cpp", "src/ops/op.h", "which is private")
        self.check_planted("src/train/trainer.cpp", "gpuvae/unheard_of.h", "in no layer")
        self.check_planted("src/new/a.cpp", "gpuvae/ops.h", "in no layer")

    def test_includes_of_lower_layers_pass(self):
        for path, included in [
            ("apps/report/figures.cpp", "apps/run/session.h"),
            ("apps/program/commands.cpp", "gpuvae/vae.h"),
            ("src/train/trainer.cpp", "src/train/executor.h"),
            ("src/vae/vae.cpp", "kernels/check.h"),
            ("include/gpuvae/train.h", "gpuvae/vae.h"),
            ("apps/examples/a.cpp", "gpuvae/gpuvae.h"),
        ]:
            self.check_planted(path, included, None)


if __name__ == "__main__":
    unittest.main()

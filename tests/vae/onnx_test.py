"""Checks exported ONNX files with ONNX's checker, and compares ONNX Runtime with the library.

Usage: onnx_test.py PATH_OF_onnx_models. Exits with 77 if onnx, onnxruntime or NumPy is not installed.
"""

import json
import struct
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

try:
    import numpy as np
    import onnx
    import onnxruntime
except ImportError as error:
    print(f"skipped: {error}")
    sys.exit(77)

TOOL = None
TOLERANCE = 1e-5


def read_safetensors(path):
    """Returns the f32 tensors of a file by name."""
    data = path.read_bytes()
    (length,) = struct.unpack("<Q", data[:8])
    tensors = {}
    for name, info in json.loads(data[8 : 8 + length]).items():
        if name != "__metadata__":
            begin, end = (8 + length + offset for offset in info["data_offsets"])
            tensors[name] = np.frombuffer(data[begin:end], "<f4").reshape(info["shape"])
    return tensors


class OnnxTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        subprocess.run([TOOL, cls.folder.name], check=True)
        cls.cases = {p.stem: read_safetensors(p) for p in Path(cls.folder.name).glob("*.safetensors")}

    @classmethod
    def tearDownClass(cls):
        cls.folder.cleanup()

    def path(self, case, part):
        return str(Path(self.folder.name) / f"{case}-{part}.onnx")

    def run_part(self, case, part, inputs, expected):
        """Runs all rows, and the second row alone, and compares each output."""
        session = onnxruntime.InferenceSession(self.path(case, part), providers=["CPUExecutionProvider"])
        for rows in (slice(None), slice(1, 2)):
            outputs = session.run(list(expected), {name: value[rows] for name, value in inputs.items()})
            for (name, right), got in zip(expected.items(), outputs):
                self.assertEqual(got.shape, right[rows].shape, f"{case} {name}")
                error = np.abs(got - right[rows]) / (1 + np.abs(right[rows]))
                self.assertTrue((error <= TOLERANCE).all(), f"{case} {name}: error {error.max()}")

    def test_there_are_cases(self):
        self.assertGreaterEqual(len(self.cases), 20)

    def test_checker(self):
        for case in self.cases:
            for part in ("encoder", "decoder"):
                model = onnx.load(self.path(case, part))
                onnx.checker.check_model(model, full_check=True)
                self.assertEqual({p.key: p.value for p in model.metadata_props}, {"case": case})
                self.assertEqual(model.graph.input[0].type.tensor_type.shape.dim[0].dim_param, "batch")

    def test_encoder(self):
        for case, t in self.cases.items():
            stddev = (t["z"] - t["encoder_mean"]) / t["epsilon"]
            expected = {"posterior_params": t["posterior_params"], "mean": t["encoder_mean"], "z": t["z"]}
            self.run_part(case, "encoder", {"x": t["x"], "epsilon": t["epsilon"]}, expected)
            self.assertTrue((stddev >= 0).all(), case)
            zeros = np.zeros_like(t["epsilon"])
            self.run_part(case, "encoder", {"x": t["x"], "epsilon": zeros}, {"z": t["encoder_mean"]})

    def test_decoder(self):
        for case, t in self.cases.items():
            expected = {"params": t["params"], "mean": t["decoder_mean"]}
            self.run_part(case, "decoder", {"z": t["codes"]}, expected)

    def test_both_branches_of_the_continuous_bernoulli_mean(self):
        logits = np.abs(self.cases["continuous-bernoulli"]["params"])
        self.assertTrue((logits < 1).any() and (logits > 1).any())


if __name__ == "__main__":
    TOOL = sys.argv.pop(1)
    unittest.main()

#!/usr/bin/env python3
"""Runs the published protocols of bench/bands with stand-ins for gpuvae's programs: bands_test.py SOURCE"""
import contextlib
import importlib.machinery
import importlib.util
import io
import json
import os
import sys
import tempfile
import types
import unittest
from pathlib import Path
from unittest import mock

sys.dont_write_bytecode = True
SOURCE = Path(sys.argv.pop(1)).resolve() if len(sys.argv) > 1 else Path(__file__).resolve().parent.parent.parent
loader = importlib.machinery.SourceFileLoader("bands", str(SOURCE / "bench/bands"))
bands = importlib.util.module_from_spec(importlib.util.spec_from_loader("bands", loader))
loader.exec_module(bands)

# Writes the files of a run, as the presets of the programs do, and notes its arguments.
PROGRAM = """#!{python}
import json, os, sys
from pathlib import Path
with open(os.environ["CALLS"], "a") as calls:
    calls.write(json.dumps(sys.argv[1:]) + "\\n")
if sys.argv[1] != "eval":
    folder = Path(sys.argv[sys.argv.index("--out") + 1])
    folder.mkdir(parents=True, exist_ok=True)
    rest = sys.argv[sys.argv.index("--preset") + 1] in ("exemplar-mnist", "vamp-mnist", "frey-logistic")
    (folder / "config.toml").write_text('# validation data\\nvalidation-set="%s"\\n' % ("rest" if rest else "test"))
    (folder / "metrics.csv").write_text("# a comment\\nepoch,train_seconds,val_seconds\\n1,2,0.5\\n")
"""


class Long(unittest.TestCase):
    def test_runs_are_evaluated_on_the_test_set(self):
        """The validation images of some presets are training images, so that their runs need --set test."""
        with tempfile.TemporaryDirectory() as folder:
            folder = Path(folder)
            calls = folder / "calls"
            for name in ("mnist_vae", "frey_vae"):
                (folder / name).write_text(PROGRAM.format(python=sys.executable))
                (folder / name).chmod(0o755)
            output = io.StringIO()
            with mock.patch.dict(os.environ, CALLS=str(calls)), contextlib.redirect_stdout(output):
                bands.run_long(types.SimpleNamespace(out=folder / "out", bin=folder))
            evals = [call for call in map(json.loads, calls.read_text().splitlines()) if call[0] == "eval"]
            sets = {Path(call[2]).name: call[call.index("--set") + 1] if "--set" in call else "" for call in evals}
            self.assertEqual(sets, {"iwae-mnist": "", "iwae-mnist-iwae-5": "", "iwae-mnist-iwae-50": "",
                                    "exemplar-mnist": "test", "vamp-mnist": "test", "frey-logistic-2000": "test"})
            self.assertIn("vamp-mnist: published 85.57", output.getvalue())


unittest.main()

"""Data frames with pandas, with and without scikit-learn: names of columns, and missing values."""

import json
import subprocess
import sys
import textwrap

import numpy as np
import pytest

import gpuvae

pandas = pytest.importorskip("pandas")


def without_sklearn(code, folder, *arguments):
    """Runs code in a Python that finds no scikit-learn."""
    start = "import sys\nsys.modules['sklearn'] = None\nimport numpy as np, pandas, gpuvae\n"
    command = [sys.executable, "-c", start + textwrap.dedent(code), *map(str, arguments)]
    result = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr


def small(**others):
    return gpuvae.VAE(hidden=(8,), epochs=1, verbose=False, **others)


def test_columns_in_another_order_are_refused(rows, tmp_path):
    frame = pandas.DataFrame(rows, columns=list("abcde"))
    vae = small().fit(frame)
    assert list(vae.feature_names_in_) == list("abcde")
    assert json.loads(vae._metadata["data"])["column_names"] == list("abcde")
    loaded = gpuvae.load(vae.save(tmp_path / "model.safetensors"))
    for model in (vae, loaded):
        assert (np.asarray(model.transform(frame)) == np.asarray(vae.transform(frame))).all()
        for other in (frame[list("edcba")], frame.rename(columns={"a": "z"})):
            with pytest.raises(ValueError, match="feature names"):
                model.transform(other)
    with pytest.raises(ValueError, match="feature names"):
        small().fit(frame, validation=frame[list("edcba")])
    assert not hasattr(vae.fit(rows), "feature_names_in_")


def test_columns_in_another_order_are_refused_without_scikit_learn(tmp_path):
    code = """
    frame = pandas.DataFrame(np.random.default_rng(0).normal(size=(60, 3)), columns=list("abc"))
    vae = gpuvae.VAE(hidden=(8,), epochs=1, verbose=False).fit(frame)
    assert list(vae.feature_names_in_) == list("abc")
    loaded = gpuvae.load(vae.save("model.safetensors"))
    assert list(loaded.feature_names_in_) == list("abc")
    def refused(call, text):
        try:
            call()
        except ValueError as error:
            assert text in str(error), error
        else:
            raise AssertionError(text)
    for model in (vae, loaded):
        assert (model.transform(frame) == vae.transform(frame.to_numpy())).all()
        refused(lambda: model.transform(frame[list("cba")]), "a as feature 0 (from 0), got c")
        refused(lambda: model.score(frame.rename(columns={"a": "z"})), "a as feature 0 (from 0), got z")
        refused(lambda: model.score(frame[["a", "b"]]), "2 features")
    refused(lambda: vae.fit(frame, validation=frame[list("cba")]), "expected the feature names")
    refused(lambda: vae.fit(frame[list("cba")].rename(columns={"a": 1})), "expected texts as the names of all columns")
    assert list(vae.feature_names_in_) == list("abc")
    numbered = pandas.DataFrame(frame.to_numpy())
    assert (vae.transform(numbered) == vae.transform(frame)).all()
    assert not hasattr(vae.fit(numbered), "feature_names_in_")
    """
    without_sklearn(code, tmp_path)


NULLABLE = """
    frame = pandas.DataFrame({"a": [1.5, 2, None, 4] * 15, "b": pandas.array([1, None, 3, 4] * 15, dtype="Int64")})
    vae = gpuvae.VAE(hidden=(8,), epochs=1, verbose=False, settings={"missing_values": True}).fit(frame)
    plain = np.array([[1.5, 1], [2, np.nan], [np.nan, 3], [4, 4]] * 15)
    codes = vae.transform(pandas.DataFrame(plain, columns=["a", "b"]))
    assert (np.asarray(vae.transform(frame)) == np.asarray(codes)).all()
    filled = vae.impute(frame)
    assert np.isfinite(filled).all() and (filled[~np.isnan(plain)] == plain[~np.isnan(plain)]).all()
"""


def test_missing_values_of_pandas(tmp_path):
    without_sklearn(NULLABLE, tmp_path)
    exec(textwrap.dedent(NULLABLE), {"np": np, "pandas": pandas, "gpuvae": gpuvae})

"""The conventions of scikit-learn."""

import numpy as np
import pytest

import gpuvae

pytest.importorskip("sklearn", reason="scikit-learn is not installed")


def test_check_estimator():
    from sklearn.utils.estimator_checks import check_estimator

    failed = {c["check_name"]: c["exception"] for c in
              check_estimator(gpuvae.VAE(hidden=(16,), epochs=2, verbose=False), on_fail=None, on_skip=None)
              if c["status"] == "failed"}
    assert failed == {}


def test_pipeline_and_grid_search(rows):
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import GridSearchCV
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    labels = rows[:, 0] > 0
    pipeline = make_pipeline(StandardScaler(), gpuvae.VAE(hidden=(16,), epochs=20, batch_size=20, verbose=False),
                             LogisticRegression())
    assert pipeline.fit(rows, labels).score(rows, labels) > 0.7
    search = GridSearchCV(gpuvae.VAE(epochs=5, batch_size=20, verbose=False),
                          {"latent": np.array([1, 2]), "hidden": [(8,), (8, 4)],
                           "learning_rate": np.array([1e-3, 1e-2])},
                          cv=2)
    search.fit(rows)
    assert np.isfinite(search.best_score_)
    assert search.best_params_["learning_rate"] == 1e-2


def test_data_frames(rows):
    pandas = pytest.importorskip("pandas", reason="pandas is not installed")
    frame = pandas.DataFrame(rows, columns=list("abcde"))
    vae = gpuvae.VAE(hidden=(8,), epochs=2, verbose=False).fit(frame)
    assert (vae.transform(frame) == gpuvae.VAE(hidden=(8,), epochs=2, verbose=False).fit(rows).transform(rows)).all()
    with pytest.raises(ValueError, match="feature names"):
        vae.transform(frame[list("bacde")])
    assert list(vae.set_output(transform="pandas").transform(frame).columns) == ["vae0", "vae1"]
    assert list(vae.history_["epoch"]) == [1, 2]


def test_a_subclass_may_have_fewer_parameters(rows):
    class SmallVAE(gpuvae.VAE):
        def __init__(self, latent=1):
            super().__init__(latent, hidden=(8,), epochs=1, verbose=False)

    small, vae = SmallVAE().fit(rows), gpuvae.VAE(1, hidden=(8,), epochs=1).fit(rows)
    assert (small.transform(rows) == vae.transform(rows)).all()

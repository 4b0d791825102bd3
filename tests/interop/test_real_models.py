"""Every preset on two real models, both exporters: onnxruntime agrees with `terse run`, sizes and accuracies keep their promises."""

import numpy as np
import pytest

import real_models
from runtimes import PRESETS, ROOT, compress, cosines, kl_divergence, mean_pooled, relative_error, run_onnxruntime, run_terse, session

EXPORTERS = ["dynamo", "torchscript"]


@pytest.fixture(scope="session")
def folders():
    return real_models.make(ROOT / "build/interop/models")


@pytest.fixture(scope="session")
def windows(folders):
    with np.load(folders[0] / "eval-30x256.npz") as saved:
        return saved["input_ids"][:6]


@pytest.fixture(scope="session")
def sentences(folders):
    with np.load(folders[1] / "sentences-300.npz") as saved:
        return dict(saved)


def language_inputs(ids):
    return {"input_ids": ids, "attention_mask": np.ones_like(ids)}


@pytest.fixture(scope="session")
def expected_logits(folders, windows):
    return [run_onnxruntime(folders[0] / "dynamo/model.onnx", language_inputs(ids[None]))["logits"] for ids in windows]


@pytest.fixture(scope="session")
def expected_vectors(folders, sentences):
    hidden = run_onnxruntime(folders[1] / "dynamo/model.onnx", sentences)["last_hidden_state"]
    return mean_pooled(hidden, sentences["attention_mask"])


@pytest.mark.parametrize("exporter", EXPORTERS)
@pytest.mark.parametrize("preset", PRESETS)
def test_the_language_model_runs_in_onnxruntime_as_in_terse(folders, windows, exporter, preset, tmp_path):
    out = compress(folders[0] / exporter / "model.onnx", tmp_path / "out.onnx", preset)
    inputs = language_inputs(windows[:1, :64])
    assert relative_error(run_terse(out, inputs, tmp_path)["logits"], run_onnxruntime(out, inputs)["logits"]) <= 1e-3


@pytest.mark.parametrize("exporter", EXPORTERS)
@pytest.mark.parametrize("preset", PRESETS)
def test_the_encoder_runs_in_onnxruntime_as_in_terse(folders, sentences, exporter, preset, tmp_path):
    out = compress(folders[1] / exporter / "model.onnx", tmp_path / "out.onnx", preset)
    inputs = {k: v[:8] for k, v in sentences.items()}
    found, expected = run_terse(out, inputs, tmp_path), run_onnxruntime(out, inputs)
    assert relative_error(found["last_hidden_state"], expected["last_hidden_state"]) <= 1e-3


@pytest.mark.parametrize("exporter", EXPORTERS)
@pytest.mark.parametrize("preset,megabytes,divergence", [("int4", 95, 0.35), ("int8", 150, 0.05)])
def test_the_language_model_stays_small_and_close(folders, windows, expected_logits, exporter, preset, megabytes, divergence, tmp_path):
    out = compress(folders[0] / exporter / "model.onnx", tmp_path / "out.onnx", preset)
    assert out.stat().st_size <= megabytes * 1e6
    runtime = session(out)
    found = [runtime.run(["logits"], language_inputs(ids[None]))[0] for ids in windows]
    assert np.mean([kl_divergence(e, f) for e, f in zip(expected_logits, found)]) <= divergence


@pytest.mark.parametrize("exporter", EXPORTERS)
@pytest.mark.parametrize("preset,cosine", [("int8", 0.999), ("int4", 0.972), ("cluster-16", 0.93)])
def test_the_encoder_stays_close(folders, sentences, expected_vectors, exporter, preset, cosine, tmp_path):
    out = compress(folders[1] / exporter / "model.onnx", tmp_path / "out.onnx", preset)
    hidden = run_onnxruntime(out, sentences)["last_hidden_state"]
    assert cosines(mean_pooled(hidden, sentences["attention_mask"]), expected_vectors).mean() >= cosine

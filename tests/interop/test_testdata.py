"""Every preset on the committed models, both exporters: onnxruntime loads what is written and agrees with `terse run`."""

import numpy as np
import onnx
import pytest

from runtimes import PRESETS, ROOT, compress, relative_error, run_onnxruntime, run_terse, terse

MODELS = [f"{model}/{exporter}" for model in ("lm", "classifier") for exporter in ("dynamo", "torchscript")]


def reference(model):
    """Inputs and PyTorch's outputs."""
    with np.load(ROOT / "testdata" / model.split("/")[0] / "reference.npz") as saved:
        arrays = dict(saved)
    return {k: v for k, v in arrays.items() if k != "logits"}, arrays["logits"]


def path(model):
    return ROOT / "testdata" / f"{model}.onnx"


@pytest.mark.parametrize("model", MODELS)
def test_run_gives_what_pytorch_gave(model, tmp_path):
    inputs, logits = reference(model)
    tolerance = 1e-4 if "float16" not in str(run_onnxruntime(path(model), inputs)["logits"].dtype) else 2e-3
    assert relative_error(run_terse(path(model), inputs, tmp_path)["logits"], logits) <= tolerance


@pytest.mark.parametrize("model", MODELS)
def test_an_unchanged_model_computes_the_same_in_onnxruntime(model, tmp_path):
    inputs, _ = reference(model)
    terse("convert", path(model), "-o", tmp_path / "same.onnx")
    before, after = run_onnxruntime(path(model), inputs), run_onnxruntime(tmp_path / "same.onnx", inputs)
    assert before.keys() == after.keys()
    for name in before:
        assert relative_error(after[name], before[name]) <= 1e-6


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("preset", PRESETS)
@pytest.mark.parametrize("style", ["contrib", "standard"])
def test_presets_run_in_onnxruntime_as_in_terse(model, preset, style, tmp_path):
    inputs, _ = reference(model)
    out = compress(path(model), tmp_path / "out.onnx", preset, *(["--onnx", "standard"] if style == "standard" else []))
    theirs, ours = run_onnxruntime(out, inputs), run_terse(out, inputs, tmp_path)
    # onnxruntime fuses blocked DequantizeLinear with int8 activations: its error there is its own.
    tolerance = 1e-3 if style == "contrib" else 3e-2
    for name in theirs:
        assert relative_error(ours[name], theirs[name]) <= tolerance


def stored_bytes(file):
    return sum(len(i.raw_data) for i in onnx.load(str(file)).graph.initializer)


def test_a_tied_table_and_head_are_stored_once(tmp_path):
    table, linears, rest = 1024 * 128, 786_432, 10_000
    for exporter in ("dynamo", "torchscript"):
        out = compress(path(f"lm/{exporter}"), tmp_path / f"{exporter}.onnx", "int4")
        # 8 bits and an f16 scale a block of 64; 4 bits, an f16 scale and a zero point a block of 32.
        assert stored_bytes(out) < table * 8.25 / 8 + linears * 4.625 / 8 + rest

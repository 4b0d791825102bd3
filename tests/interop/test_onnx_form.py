"""Checkpoints become ONNX files that onnxruntime runs with PyTorch's outputs."""

import numpy as np
import onnx
import pytest

import families
from runtimes import compress, relative_error, run_onnxruntime, run_terse, session, terse

FAMILIES = ["llama", "mistral", "gpt2", "bert", "distilbert"]
DECODERS = ["llama", "mistral", "gpt2"]
STYLES = ["contrib", "standard"]


@pytest.fixture(scope="session")
def checkpoints(tmp_path_factory):
    """Gives the folder of a tiny checkpoint, made at its first use."""
    root = tmp_path_factory.mktemp("checkpoints")
    made = {}

    def checkpoint(family):
        if family not in made:
            made[family] = families.export_family(family, root)
        return root / f"{family}-checkpoint"

    return checkpoint


def arrays(file):
    with np.load(file) as saved:
        return dict(saved)


def with_empty_cache(model, inputs):
    """The inputs of a graph with a cache that holds nothing yet."""
    batch, tokens = inputs["input_ids"].shape
    feeds = dict(inputs, position_ids=np.tile(np.arange(tokens), (batch, 1)))
    for i in session(model).get_inputs():
        if i.name.startswith("past_key_values."):
            feeds[i.name] = np.zeros((batch, i.shape[1], 0, i.shape[3]), np.float32)
    return feeds


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("style", STYLES)
def test_a_checkpoint_gives_pytorchs_outputs(checkpoints, family, style, tmp_path):
    folder = checkpoints(family)
    terse("convert", folder, "-o", tmp_path / "out.onnx", "--onnx", style)
    onnx.checker.check_model(str(tmp_path / "out.onnx")) if style == "standard" else None
    inputs, expected = arrays(folder / "inputs.npz"), arrays(folder / "outputs.npz")
    theirs = run_onnxruntime(tmp_path / "out.onnx", inputs)
    ours = run_terse(tmp_path / "out.onnx", inputs, tmp_path)
    for name, values in expected.items():
        assert relative_error(theirs[name], values) <= 1e-5
        assert relative_error(ours[name], values) <= 1e-5


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("dtype,tolerance", [("f16", 2e-3), ("bf16", 2e-2)])
def test_short_floats_are_storage_alone(checkpoints, family, dtype, tolerance, tmp_path):
    folder = checkpoints(family)
    terse("convert", folder, "-o", tmp_path / "out.onnx", "--dtype", dtype)
    runtime = session(tmp_path / "out.onnx")
    assert {o.type for o in runtime.get_outputs()} == {"tensor(float)"}
    found = run_onnxruntime(tmp_path / "out.onnx", arrays(folder / "inputs.npz"))
    for name, values in arrays(folder / "outputs.npz").items():
        assert relative_error(found[name], values) <= tolerance


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("preset", ["int8", "int4"])
def test_compressed_checkpoints_run_in_onnxruntime_as_in_terse(checkpoints, family, preset, tmp_path):
    folder = checkpoints(family)
    inputs = arrays(folder / "inputs.npz")
    out = compress(folder, tmp_path / "out.onnx", preset)
    theirs, ours = run_onnxruntime(out, inputs), run_terse(out, inputs, tmp_path)
    for name in theirs:
        assert relative_error(ours[name], theirs[name]) <= 1e-3


@pytest.mark.parametrize("family", FAMILIES)
def test_the_fast_style_rounds_activations_and_no_more(checkpoints, family, tmp_path):
    folder = checkpoints(family)
    inputs = arrays(folder / "inputs.npz")
    exact = run_onnxruntime(compress(folder, tmp_path / "exact.onnx", "int8"), inputs)
    fast = run_onnxruntime(compress(folder, tmp_path / "fast.onnx", "int8", "--onnx", "fast"), inputs)
    for name in exact:
        assert 1e-5 <= relative_error(fast[name], exact[name]) <= 3e-2


@pytest.mark.parametrize("family", DECODERS)
@pytest.mark.parametrize("style", STYLES)
def test_a_cache_filled_in_two_steps_gives_what_one_step_gives(checkpoints, family, style, tmp_path):
    folder = checkpoints(family)
    out = tmp_path / "made" / "model.onnx"
    terse("convert", folder, "-o", out, "--kv-cache", "--onnx", style)
    inputs, expected = arrays(folder / "inputs.npz"), arrays(folder / "outputs.npz")["logits"]
    ids, mask = inputs["input_ids"], np.ones_like(inputs["attention_mask"])
    whole = with_empty_cache(out, {"input_ids": ids, "attention_mask": mask})
    logits = run_onnxruntime(out, whole)["logits"]
    assert relative_error(logits[0], expected[0]) <= 1e-5  # the row without padding
    assert relative_error(run_terse(out, whole, tmp_path)["logits"], logits) <= 1e-5

    first = 5
    begun = with_empty_cache(out, {"input_ids": ids[:, :first], "attention_mask": mask[:, :first]})
    state = run_onnxruntime(out, begun)
    going_on = {"input_ids": ids[:, first:], "attention_mask": mask, "position_ids": whole["position_ids"][:, first:]}
    going_on.update({name.replace("present.", "past_key_values."): v for name, v in state.items() if name.startswith("present.")})
    theirs, ours = run_onnxruntime(out, going_on), run_terse(out, going_on, tmp_path / "second")
    assert relative_error(theirs["logits"], logits[:, first:]) <= 1e-5
    assert set(theirs) == set(ours)
    for name in theirs:
        assert relative_error(ours[name], theirs[name]) <= 1e-5

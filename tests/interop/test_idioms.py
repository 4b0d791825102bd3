"""Every idiom that lowering writes, over every encoding: onnxruntime loads it and computes what the decoded numbers give.

The models come from build/PRESET/tests/idiom_models, which is built with the tests.
"""

import os
import pathlib
import subprocess

import numpy as np
import onnx
import onnxruntime
import pytest

from runtimes import ROOT, TERSE, relative_error

PROGRAM = pathlib.Path(os.environ.get("IDIOM_MODELS", TERSE.parent / "tests/idiom_models"))
TYPES = {"tensor(float)": np.float32, "tensor(float16)": np.float16}


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    folder = tmp_path_factory.mktemp("idioms")
    subprocess.run([str(PROGRAM), str(folder)], check=True, cwd=ROOT)
    return sorted(p for p in folder.glob("*.onnx") if not p.name.endswith(".dense.onnx"))


def session(path, exact):
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    if exact:  # onnxruntime fuses DequantizeLinear and MatMul to a product of rounded activations otherwise
        options.add_session_config_entry("session.qdq_matmulnbits_accuracy_level", "1")
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def random_inputs(runtime):
    random = np.random.default_rng(1)
    feeds = {}
    for i in runtime.get_inputs():
        shape = [d if isinstance(d, int) else 2 for d in i.shape]
        feeds[i.name] = random.integers(0, 3, shape) if i.name == "ids" else random.standard_normal(shape).astype(TYPES[i.type])
    return feeds


def errors(path, exact=True):
    judge = session(path.with_suffix(".dense.onnx"), exact)
    feeds = random_inputs(judge)
    return max(relative_error(a, b) for a, b in zip(session(path, exact).run(None, feeds), judge.run(None, feeds)))


@pytest.mark.parametrize("style", ["contrib", "standard"])
@pytest.mark.parametrize("use", "matmul twice gemm gemm_scaled table tied left experts turned_experts".split())
def test_an_encoded_weight_computes_what_its_numbers_compute(models, use, style):
    chosen = [p for p in models if p.name.startswith(f"{use}-{style}-")]
    assert len(chosen) > 50
    wrong = {}
    for path in chosen:
        tolerance = 1e-5 if "-f32-" in path.name else 5e-3
        error = errors(path)
        if not error <= tolerance:
            wrong[path.name] = error
    assert not wrong


def test_a_lookup_is_exact(models):
    chosen = [p for p in models if p.name.startswith("table-") and "-f32-" in p.name]
    assert {p.name: errors(p) for p in chosen} == {p.name: 0 for p in chosen}


def test_models_without_contributed_operators_satisfy_the_checker(models):
    for path in models:
        if "-standard-" in path.name:
            onnx.checker.check_model(str(path), full_check=True)

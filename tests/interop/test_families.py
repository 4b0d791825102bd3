"""Raw exports of tiny random models of many families: `terse run` gives PyTorch's outputs, compressed ones run in onnxruntime."""

import json

import numpy as np
import pytest

import families
from runtimes import ROOT, compress, relative_error, run_onnxruntime, run_terse, terse

FAMILIES = ["bert", "distilbert", "albert", "gpt2", "llama", "mistral", "mixtral", "t5"]
EXPORTERS = ["dynamo", "torchscript"]


@pytest.fixture(scope="session")
def exports(tmp_path_factory):
    """Gives the folder of an export, made at its first use."""
    root = tmp_path_factory.mktemp("families")
    made = {}

    def export(family, exporter):
        if family not in made:
            made[family] = families.export_family(family, root)
        folder = root / f"{family}-{exporter}"
        if not (folder / "model.onnx").exists():
            pytest.skip(f"torch's {exporter} exporter cannot export {family}")
        return folder

    return export


def arrays(file):
    with np.load(file) as saved:
        return dict(saved)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("exporter", EXPORTERS)
def test_run_gives_pytorchs_outputs(exports, family, exporter, tmp_path):
    folder = exports(family, exporter)
    expected = arrays(folder / "outputs.npz")
    found = run_terse(folder / "model.onnx", arrays(folder / "inputs.npz"), tmp_path)
    for name, values in expected.items():
        assert relative_error(found[name], values) <= 1e-4


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("exporter", EXPORTERS)
@pytest.mark.parametrize("preset", ["int4", "int8"])
def test_compressed_families_run_in_onnxruntime_as_in_terse(exports, family, exporter, preset, tmp_path):
    folder = exports(family, exporter)
    inputs = arrays(folder / "inputs.npz")
    out = compress(folder / "model.onnx", tmp_path / "out.onnx", preset)
    theirs, ours = run_onnxruntime(out, inputs), run_terse(out, inputs, tmp_path)
    for name in theirs:
        assert relative_error(ours[name], theirs[name]) <= 1e-3


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("exporter", EXPORTERS)
def test_int4_reaches_the_linears(exports, family, exporter, tmp_path):
    folder = exports(family, exporter)
    compress(folder / "model.onnx", tmp_path / "out.onnx", "int4", "--report", tmp_path / "report.json")
    weights = json.loads((tmp_path / "report.json").read_text())["weights"]
    float_roles = {"embedding", "position", "norm", "bias", "router", "head", "pooler", "classifier", "other"}
    linears = [w for w in weights if not float_roles & {role["kind"] for role in w["roles"]}]
    assert linears
    left = [w["name"] for w in linears if "int4" not in w["after"]]
    assert not left, f"left in float: {left}"

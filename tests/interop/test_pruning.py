"""terse's calibrated pruning against SparseGPT and Wanda as published, on the same windows of the committed language model."""

import copy

import numpy as np
import pytest
import torch

from pruning_reference import METHODS, load, perplexity, prune
from runtimes import ROOT, terse

FOLDER = ROOT / "testdata/lm"


def windows(name):
    with np.load(FOLDER / f"{name}.npz") as saved:
        return torch.from_numpy(saved["input_ids"].astype(np.int64))


@pytest.fixture(scope="module")
def model():
    return load(FOLDER)


def linears(model):
    return {name: module.weight for name, module in model.model.named_modules() if isinstance(module, torch.nn.Linear)}


@pytest.fixture(scope="module")
def references(model):
    """Perplexity by pattern and method."""
    found = {}
    for pattern in ("0.5", "2:4"):
        for method in METHODS:
            pruned = copy.deepcopy(model)
            prune(pruned, windows("calib"), method, pattern)
            assert all(0.49 < (w == 0).float().mean() < 0.52 for w in linears(pruned).values())
            found[pattern, method] = perplexity(pruned, windows("eval"))
    return found


@pytest.mark.parametrize("pattern", ["0.5", "2:4"])
def test_pruned_models_are_as_good_as_the_published_methods(pattern, model, references, tmp_path):
    option = f"pattern={pattern}" if ":" in pattern else f"ratio={pattern}"
    terse("compress", FOLDER, "-o", tmp_path / "out", "--pass", f"prune,{option}", "--data", FOLDER / "calib.npz")
    ours = load(tmp_path / "out")
    for name, weight in linears(ours).items():
        assert (weight == 0).float().mean() >= 0.499, name
        if ":" in pattern:
            assert ((weight.reshape(-1, 4) != 0).sum(1) <= 2).all(), name
    found = perplexity(ours, windows("eval"))
    for method in METHODS:
        assert found <= 1.02 * references[pattern, method], f"{method}: {references[pattern, method]}, terse {found}"

"""What the interop tests share: the program, the runtimes that judge it, and the measures."""

import os
import pathlib
import subprocess

import numpy as np
import onnxruntime

ROOT = pathlib.Path(__file__).resolve().parents[2]
TERSE = pathlib.Path(os.environ.get("TERSE", ROOT / "build/release/terse"))
PRESETS = ["int8", "int4", "prune-50", "prune-2of4", "cluster-16"]


def terse(*arguments):
    """Runs the program; its standard output. A failure shows what it said."""
    done = subprocess.run([str(TERSE), *map(str, arguments)], capture_output=True, text=True)
    assert done.returncode == 0, f"terse {' '.join(map(str, arguments))}: exit {done.returncode}\n{done.stderr}"
    return done.stdout


def compress(model, out, preset, *arguments):
    terse("compress", model, "-o", out, "--recipe", preset, "--force", *arguments)
    return out


def session(model):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 2
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(str(model), options, providers=["CPUExecutionProvider"])


def run_onnxruntime(model, inputs):
    """Outputs by name, for the inputs that the model has."""
    runtime = session(model)
    names = {i.name for i in runtime.get_inputs()}
    outputs = runtime.run(None, {k: v for k, v in inputs.items() if k in names})
    return dict(zip([o.name for o in runtime.get_outputs()], outputs))


def run_terse(model, inputs, folder):
    """The same through `terse run`."""
    folder.mkdir(parents=True, exist_ok=True)
    names = {i.name for i in session(model).get_inputs()}
    arguments = []
    for name, array in inputs.items():
        if name in names:
            np.save(folder / f"in_{name}.npy", array)
            arguments += ["--input", f"{name}={folder / f'in_{name}.npy'}"]
    terse("run", model, *arguments, "--output-dir", folder / "out")
    return {p.stem: np.load(p) for p in (folder / "out").glob("*.npy")}


def relative_error(found, expected):
    """The norm of the difference over the norm of what was expected; rows that hold no number on both sides do not count."""
    found, expected = np.asarray(found, np.float64), np.asarray(expected, np.float64)
    assert found.shape == expected.shape, f"shape {found.shape}, expected {expected.shape}"
    both_nan = np.isnan(found) & np.isnan(expected)
    found, expected = np.where(both_nan, 0, found), np.where(both_nan, 0, expected)
    return np.linalg.norm(found - expected) / max(np.linalg.norm(expected), 1e-30)


def log_softmax(logits):
    shifted = logits - logits.max(-1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(-1, keepdims=True))


def kl_divergence(reference, other):
    """Mean over tokens of KL(reference || other), in nats."""
    p, q = log_softmax(reference.astype(np.float64)), log_softmax(other.astype(np.float64))
    return (np.exp(p) * (p - q)).sum(-1).mean()


def mean_pooled(hidden, mask):
    weights = mask[..., None].astype(np.float64)
    return (hidden * weights).sum(1) / weights.sum(1)


def cosines(a, b):
    return (a * b).sum(-1) / np.linalg.norm(a, axis=-1) / np.linalg.norm(b, axis=-1)

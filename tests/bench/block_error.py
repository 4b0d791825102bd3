"""Squared error of terse's block types against ggml's quantizers, on the same rows; fails if any of ours is larger.

    python tests/bench/block_error.py ENCODE_BLOCKS LIBGGML MODEL.safetensors

ENCODE_BLOCKS is build/release/tests/encode_blocks. LIBGGML is a shared library with ggml_quantize_chunk: ggml.c and
ggml-quants.c of llama.cpp's sources, compiled with -O3 -march=native. One thread each.
"""

import ctypes
import pathlib
import subprocess
import sys
import tempfile
import time

import gguf
import numpy as np
from safetensors.torch import load_file

TYPES = ["Q8_0", "Q4_0", "Q4_1", "Q5_0", "Q5_1", "IQ4_NL", "Q2_K", "Q3_K", "Q4_K", "Q5_K", "Q6_K", "IQ4_XS"]
ROWS = 512


def rows_of(model):
    """Rows of every layer's widest linear, whose width is whole super-blocks."""
    weights = [w.float().numpy() for name, w in sorted(load_file(model).items()) if name.endswith("down_proj.weight")]
    rows = np.concatenate([w[:: max(1, len(w) * len(weights) // ROWS)] for w in weights])
    return np.ascontiguousarray(rows[:ROWS])


class Ggml:
    def __init__(self, path):
        self.library = ctypes.CDLL(path)
        self.quantize = self.library.ggml_quantize_chunk
        self.quantize.restype = ctypes.c_size_t
        pointer = ctypes.c_void_p
        self.quantize.argtypes = [ctypes.c_int, pointer, pointer] + [ctypes.c_int64] * 3 + [pointer]

    def __call__(self, name, rows, importance):
        kind = gguf.GGMLQuantizationType[name]
        elements, size = gguf.GGML_QUANT_SIZES[kind]
        out = np.empty((len(rows), rows.shape[1] // elements * size), np.uint8)
        weights = importance.ctypes.data if importance is not None else None
        start = time.perf_counter()
        self.quantize(kind.value, rows.ctypes.data, out.ctypes.data, 0, len(rows), rows.shape[1], weights)
        return out, time.perf_counter() - start


def terse(tool, name, rows, importance):
    with tempfile.TemporaryDirectory() as temporary:
        folder = pathlib.Path(temporary)
        rows.tofile(folder / "rows")
        command = [tool, name, str(rows.shape[1]), folder / "rows", folder / "blocks"]
        if importance is not None:
            importance.tofile(folder / "importance")
            command.append(folder / "importance")
        seconds = float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
        return np.fromfile(folder / "blocks", np.uint8).reshape(len(rows), -1), seconds


def error(name, blocks, rows, importance):
    numbers = gguf.quants.dequantize(blocks, gguf.GGMLQuantizationType[name]).astype(np.float64)
    squares = (numbers - rows) ** 2
    return (squares * (1 if importance is None else importance)).reshape(-1, 32).sum(1)


def main(tool, library, model):
    ggml = Ggml(library)
    rows = rows_of(model)
    random = np.random.default_rng(1)
    importances = {
        "equal": None,
        "normal": np.exp(random.normal(0, 1, rows.shape[1])).astype(np.float32),
        "heavy": np.exp(random.normal(0, 2.5, rows.shape[1])).astype(np.float32),
    }
    worst = 0
    print(f"{len(rows)} rows of {rows.shape[1]}; error: terse's / ggml's; speed: terse's / ggml's")
    for kind, importance in importances.items():
        for name in TYPES:
            theirs, their_seconds = ggml(name, rows, importance)
            ours, our_seconds = terse(tool, name, rows, importance)
            a, b = error(name, ours, rows, importance), error(name, theirs, rows, importance)
            ratio, share = a.sum() / b.sum(), (a > b * 1.0001).mean()
            worst = max(worst, ratio)
            print(f"  weights {kind:7} {name:7} error {ratio:.4f}  (pieces of 32 that are worse: {share:5.1%})  "
                  f"speed {their_seconds / our_seconds:6.1f}  ({rows.size / our_seconds / 1e6:.0f} M/s)")  # fmt: skip
    sys.exit(1 if worst > 1 else 0)


if __name__ == "__main__":
    main(*sys.argv[1:])

"""terse's executor against onnxruntime's on the language model: f32, 512 tokens, two threads each.

Marginal seconds a window: the difference between a run over many windows and one over a single window, so that loading counts for neither.
"""

import pathlib
import sys
import tempfile
import time

import numpy as np

from measure import best_of
from runtimes import TERSE, relative_error, run_terse, session

WINDOWS = 9


def peer_seconds(model, ids):
    runtime = session(model)
    names = {i.name for i in runtime.get_inputs()}
    feeds = [{k: v for k, v in {"input_ids": row[None], "attention_mask": np.ones_like(row[None])}.items() if k in names} for row in ids]
    runtime.run(["logits"], feeds[0])
    start = time.perf_counter()
    for feed in feeds[1:]:
        runtime.run(["logits"], feed)
    return (time.perf_counter() - start) / (len(feeds) - 1)


def our_seconds(model, ids, folder):
    files = {}
    for count in (1, WINDOWS):
        files[count] = folder / f"{count}.npz"
        np.savez(files[count], input_ids=ids[:count])
    timed = {n: best_of(2, [TERSE, "eval", model, "--data", f, "--threads", "2", "--quiet"])[0] for n, f in files.items()}
    return (timed[WINDOWS] - timed[1]) / (WINDOWS - 1)


def main(models):
    with np.load(pathlib.Path(models) / "smollm2-onnx/eval-30x256.npz") as saved:
        ids = saved["input_ids"].reshape(-1, 512)[:WINDOWS]
    for exporter in ("dynamo", "torchscript"):
        model = pathlib.Path(models) / "smollm2-onnx" / exporter / "model.onnx"
        with tempfile.TemporaryDirectory() as temporary:
            folder = pathlib.Path(temporary)
            ours, theirs = our_seconds(model, ids, folder), peer_seconds(model, ids)
            inputs = {"input_ids": ids[:1], "attention_mask": np.ones_like(ids[:1])}
            start = time.perf_counter()
            outputs = run_terse(model, inputs, folder)
            whole = time.perf_counter() - start
            expected = session(model).run(["logits"], inputs)[0]
        print(f"{exporter}: terse {ours:.2f} s a window, onnxruntime {theirs:.2f} s: {ours / theirs:.2f} times its time; "
              f"one `terse run` from the shell {whole:.2f} s; relative error {relative_error(outputs['logits'], expected):.1e}")


if __name__ == "__main__":
    main(sys.argv[1])

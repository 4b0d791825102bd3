"""From a checkpoint's folder to ONNX files: seconds, peak memory and speed of terse's against torch's exporter.

    checkpoint_to_onnx.py CHECKPOINT     a folder of a decoder: config.json, model.safetensors
"""

import pathlib
import sys
import tempfile
import time

import numpy as np

from measure import best_of, measured
from runtimes import TERSE, relative_error, session

EXPORT = """
import sys, torch, transformers
model = transformers.AutoModelForCausalLM.from_pretrained(sys.argv[1], dtype=torch.float32).eval()
model.config.use_cache = False
ids, mask = (torch.ones(2, 9, dtype=torch.int64) for _ in range(2))  # two tensors: one would be exported as one input
axes = {0: torch.export.Dim("batch"), 1: torch.export.Dim("sequence")}
class Logits(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.model = model
    def forward(self, input_ids, attention_mask):
        return self.model(input_ids=input_ids, attention_mask=attention_mask, use_cache=False).logits
torch.onnx.export(Logits(), (ids, mask), sys.argv[2], dynamo=True, input_names=["input_ids", "attention_mask"], output_names=["logits"],
                  dynamic_shapes={"input_ids": axes, "attention_mask": axes}, external_data=False, opset_version=20)
"""


ROUNDS = 8


def loaded(model):
    """A session with two threads, and the seconds that loading took."""
    start = time.perf_counter()
    runtime = session(model)
    return runtime, time.perf_counter() - start


def window_seconds(runtimes):
    """The least seconds for 512 tokens of each, and its logits; they take turns, so that what disturbs one disturbs all."""
    ids = np.random.default_rng(0).integers(100, 1000, (1, 512))
    feeds = {"input_ids": ids, "attention_mask": np.ones_like(ids)}
    seconds, logits = [[] for _ in runtimes], [None for _ in runtimes]
    for _ in range(ROUNDS):
        for i, runtime in enumerate(runtimes):
            start = time.perf_counter()
            logits[i] = runtime.run(["logits"], feeds)[0]
            seconds[i].append(time.perf_counter() - start)
    return [min(s) for s in seconds], logits


def main(checkpoint):
    with tempfile.TemporaryDirectory() as temporary:
        folder = pathlib.Path(temporary)
        made = {
            "torch.onnx.export, f32": measured([sys.executable, "-c", EXPORT, checkpoint, folder / "torch.onnx"]),
            "terse convert": best_of(2, [TERSE, "convert", checkpoint, "-o", folder / "terse.onnx", "--force"]),
            "terse compress, int4": best_of(2, [TERSE, "compress", checkpoint, "-o", folder / "int4.onnx", "--recipe", "int4", "--onnx", "fast", "--force"]),
        }
        files = [folder / name for name in ("torch.onnx", "terse.onnx", "int4.onnx")]
        runtimes, loading = zip(*(loaded(file) for file in files))
        windows, logits = window_seconds(runtimes)
        assert relative_error(logits[1], logits[0]) <= 1e-4
        for i, (name, (seconds, megabytes)) in enumerate(made.items()):
            print(f"{name}: {seconds:.1f} s, peak {megabytes:.0f} MB, file {files[i].stat().st_size / 1e6:.1f} MB; onnxruntime loads it in "
                  f"{loading[i]:.2f} s, 512 tokens {windows[i]:.2f} s; relative error {relative_error(logits[i], logits[0]):.1e}")


if __name__ == "__main__":
    main(sys.argv[1])

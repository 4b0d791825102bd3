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
ids = torch.ones(2, 9, dtype=torch.int64)
axes = {0: torch.export.Dim("batch"), 1: torch.export.Dim("sequence")}
class Logits(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.model = model
    def forward(self, input_ids, attention_mask):
        return self.model(input_ids=input_ids, attention_mask=attention_mask, use_cache=False).logits
torch.onnx.export(Logits(), (ids, ids), sys.argv[2], dynamo=True, input_names=["input_ids", "attention_mask"], output_names=["logits"],
                  dynamic_shapes={"input_ids": axes, "attention_mask": axes}, external_data=False, opset_version=20)
"""


def window_seconds(model):
    """(seconds to load, least seconds for 512 tokens, logits), one thread of intra-operator work a core as the tests have it."""
    start = time.perf_counter()
    runtime = session(model)
    loading = time.perf_counter() - start
    ids = np.random.default_rng(0).integers(100, 1000, (1, 512))
    feeds = {"input_ids": ids, "attention_mask": np.ones_like(ids)}
    seconds = []
    for _ in range(4):
        start = time.perf_counter()
        logits = runtime.run(["logits"], feeds)[0]
        seconds.append(time.perf_counter() - start)
    return loading, min(seconds), logits


def main(checkpoint):
    with tempfile.TemporaryDirectory() as temporary:
        folder = pathlib.Path(temporary)
        made = {
            "torch.onnx.export, f32": measured([sys.executable, "-c", EXPORT, checkpoint, folder / "torch.onnx"]),
            "terse convert": best_of(2, [TERSE, "convert", checkpoint, "-o", folder / "terse.onnx", "--force"]),
            "terse compress, int4": best_of(2, [TERSE, "compress", checkpoint, "-o", folder / "int4.onnx", "--recipe", "int4", "--force"]),
        }
        expected = None
        for (name, (seconds, megabytes)), file in zip(made.items(), ("torch.onnx", "terse.onnx", "int4.onnx")):
            loading, window, logits = window_seconds(folder / file)
            expected = logits if expected is None else expected
            print(f"{name}: {seconds:.1f} s, peak {megabytes:.0f} MB, file {(folder / file).stat().st_size / 1e6:.1f} MB; onnxruntime loads it in "
                  f"{loading:.2f} s, 512 tokens {window:.2f} s; relative error {relative_error(logits, expected):.1e}")


if __name__ == "__main__":
    main(sys.argv[1])

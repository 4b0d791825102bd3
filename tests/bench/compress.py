"""terse's int4 against onnxruntime's own 4-bit quantizer on the language model: seconds, peak memory, bytes, divergence."""

import pathlib
import sys
import tempfile

from measure import best_of
from runtimes import TERSE
from accuracy import divergence, reference_logits

PEER = """
import sys, onnx
from onnxruntime.quantization.matmul_nbits_quantizer import MatMulNBitsQuantizer
model = onnx.load(sys.argv[1])
quantizer = MatMulNBitsQuantizer(model, block_size=32, is_symmetric=True)
quantizer.process()
onnx.save_model(quantizer.model.model, sys.argv[2])
"""


def main(models):
    for exporter in ("dynamo", "torchscript"):
        model = pathlib.Path(models) / "smollm2-onnx" / exporter / "model.onnx"
        references = reference_logits(model, count=4)
        with tempfile.TemporaryDirectory() as folder:
            ours, theirs = pathlib.Path(folder) / "ours.onnx", pathlib.Path(folder) / "theirs.onnx"
            seconds, memory = best_of(3, [TERSE, "compress", model, "-o", ours, "--recipe", "int4", "--force", "--quiet"])
            peer_seconds, peer_memory = best_of(2, [sys.executable, "-c", PEER, model, theirs], OMP_NUM_THREADS="1")
            print(f"{exporter}: terse {seconds:.2f} s, {memory:.0f} MB, {ours.stat().st_size / 1e6:.1f} MB out, KL {divergence(ours, references):.3f}")
            print(f"{exporter}: onnxruntime {peer_seconds:.2f} s, {peer_memory:.0f} MB, {theirs.stat().st_size / 1e6:.1f} MB out, KL {divergence(theirs, references):.3f}")
            print(f"{exporter}: {peer_seconds / seconds:.1f} times as fast, {memory / peer_memory:.2f} of its peak memory")


if __name__ == "__main__":
    main(sys.argv[1])

"""The calibrated engine's figures in one table: target, peer, ours and their ratio, as Markdown.

    python engine.py OUT.md [--checkpoint FOLDER] [--wide FOLDER] [--models FOLDER] [--encoder FOLDER] [--tools FOLDER]
                     [--calibration TEXT] [--evaluation TEXT] [--only GROUP]... [--windows N] [--eval-windows N] [--keep FOLDER]

Groups, each left out with a word where what it needs is not given:
  gguf        block types against llama-quantize's files of the same types with llama-imatrix's matrix      --checkpoint --tools
  k-quants    llama.cpp's mixes of K-quants likewise, on a model whose rows are whole super-blocks           --wide --tools
  max-size    the types that --max-size finds against llama.cpp's mixes of the same size                     --checkpoint --tools
  statistics  seconds and peak memory of calibrating against llama-imatrix                                   --checkpoint --tools
  pruning     perplexity against SparseGPT and Wanda; masks and codes solved together                        --checkpoint
  cluster     shared values with and without calibration                                                     --checkpoint
  onnx        4 bits against onnxruntime's quantizer                                                         --models --checkpoint
  minilm      the same on an encoder                                                                         --models --encoder

A ratio is ours over the peer's, smaller is better, and a target is the largest ratio that is wanted. Both sides are measured in this run, by the same judge on
the same data, calibrated on the same windows of 512 tokens. --checkpoint and --wide are folders of decoders, --encoder that of MiniLM, --models what
tests/interop/real_models.py made; --tools has llama-quantize, llama-imatrix and llama-perplexity. --keep: a folder for all files, where those of an earlier run are used again.
"""

import argparse
import contextlib
import pathlib
import tempfile
import time

import engine_gguf
import engine_onnx
import engine_pruning
from figures import Skipped

HEAD = "| figure | peer | peer's | terse | ratio | target | |\n| --- | --- | --- | --- | --- | --- | --- |"


class Context:
    """Options, and a folder for files."""

    def __init__(self, options, folder):
        self.options, self.folder = options, pathlib.Path(folder)

    def path(self, name):
        return self.folder / name

    def once(self, name, make):
        """The path of a file or folder, which `make(path)` makes unless it is there already."""
        path = self.path(name)
        if not path.exists():
            make(path)
        return path

    def calibrated(self, windows=None):
        """Arguments that calibrate terse on the windows that peers see too."""
        return ["--data", self.options.calibration, "--samples", windows or self.options.windows, "--seq-len", 512]


GROUPS = {
    "gguf": engine_gguf.block_types, "k-quants": engine_gguf.k_quants, "max-size": engine_gguf.sizes, "statistics": engine_gguf.statistics,
    "pruning": engine_pruning.pruning, "cluster": engine_pruning.clusters, "onnx": engine_onnx.language_model, "minilm": engine_onnx.encoder,
}  # fmt: skip


def parse():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=pathlib.Path)
    for name in ("checkpoint", "wide", "models", "encoder", "tools", "calibration", "evaluation", "keep"):
        parser.add_argument(f"--{name}", type=pathlib.Path)
    parser.add_argument("--only", action="append")
    parser.add_argument("--windows", type=int, default=40)
    parser.add_argument("--eval-windows", type=int, default=16)
    return parser.parse_args()


def run(options, folder):
    """The lines of the table as they are found."""
    yield HEAD
    for name, measure_group in GROUPS.items():
        if options.only and name not in options.only:
            continue
        try:
            for figure in measure_group(Context(options, folder)):
                yield figure.row()
        except Skipped as reason:
            yield f"| {name} | | | | | | left out: {reason} |"


def main():
    options = parse()
    start = time.perf_counter()
    with options.out.open("w") as out, contextlib.ExitStack() as stack:
        folder = options.keep or stack.enter_context(tempfile.TemporaryDirectory())
        pathlib.Path(folder).mkdir(parents=True, exist_ok=True)
        for line in run(options, folder):
            print(line, flush=True)
            print(line, file=out, flush=True)
    print(f"{time.perf_counter() - start:.0f} s")


if __name__ == "__main__":
    main()

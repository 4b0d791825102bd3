"""The calibrated engine's figures in one table: target, peer, ours and their ratio, as Markdown.

    python engine.py OUT.md [--checkpoint FOLDER] [--wide FOLDER] [--models FOLDER] [--encoder FOLDER] [--tools FOLDER] [--peers PYTHON]
                     [--calibration TEXT] [--evaluation TEXT] [--scratch FOLDER] [--only GROUP]... [--windows N] [--eval-windows N] [--keep FOLDER]

Groups, each left out with a word where what it needs is not given:
  gguf        block types against llama-quantize's files of the same types with llama-imatrix's matrix      --checkpoint --tools
  k-quants    llama.cpp's mixes of K-quants likewise, on a model whose rows are whole super-blocks           --wide --tools
  max-size    the types that --max-size finds against llama.cpp's files of the same size                     --checkpoint --tools
  onnx        4 bits against onnxruntime's quantizer                                                         --models --checkpoint
  minilm      the same on an encoder                                                                         --models --encoder
  pruning     perplexity against SparseGPT and Wanda; masks and codes solved together                        --checkpoint
  cluster     shared values with and without calibration                                                     --checkpoint
  statistics  seconds of measuring inputs against llama-imatrix                                              --checkpoint --tools
  calibrated  seconds a calibration token against llm-compressor's GPTQ; peak memory; threads                --checkpoint --peers
  large       peak memory on a Llama of 7B's shape                                                           --scratch

A ratio is ours over the peer's, smaller is better. Both sides are measured by the same judge on the same data, calibrated on the same windows of 512 tokens;
speeds in the same run. --checkpoint and --wide are folders of decoders, --encoder that of MiniLM, --models what tests/interop/real_models.py made; --tools has
llama-quantize, llama-imatrix and llama-perplexity, --peers is a Python that imports llmcompressor. --keep: a folder for all files and for what peers reach
in accuracy, where those of an earlier run are used again.
"""

import argparse
import contextlib
import json
import pathlib
import tempfile
import time

import engine_gguf
import engine_onnx
import engine_pruning
import engine_speed
from figures import Skipped

HEAD = "| figure | peer | peer's | terse | ratio | target: at most | |\n| --- | --- | --- | --- | --- | --- | --- |"
FOLDERS = ("checkpoint", "wide", "models", "encoder", "tools", "peers", "calibration", "evaluation", "scratch", "keep")


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

    def remembered(self, name, measure):
        """What a peer reaches: what `measure()` gave, here or in an earlier run on as many windows."""
        name, file = f"{name}, {self.options.windows} + {self.options.eval_windows} windows", self.path("peers.json")
        found = json.loads(file.read_text()) if file.exists() else {}
        if name not in found:
            found[name] = measure()
            file.write_text(json.dumps(found, indent=1))
        return found[name]

    def calibrated(self, windows=None):
        """Arguments that calibrate terse on the windows that peers see too."""
        return ["--data", self.options.calibration, "--samples", windows or self.options.windows, "--seq-len", 512]


GROUPS = {
    "gguf": engine_gguf.block_types, "k-quants": engine_gguf.k_quants, "max-size": engine_gguf.sizes, "onnx": engine_onnx.language_model,
    "minilm": engine_onnx.encoder, "pruning": engine_pruning.pruning, "cluster": engine_pruning.clusters, "statistics": engine_speed.statistics,
    "calibrated": engine_speed.calibrated, "large": engine_speed.large,
}  # fmt: skip


def parse():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=pathlib.Path)
    for name in FOLDERS:
        parser.add_argument(f"--{name}", type=pathlib.Path)
    parser.add_argument("--only", action="append", choices=GROUPS)
    parser.add_argument("--windows", type=int, default=100)
    parser.add_argument("--eval-windows", type=int, default=40)
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

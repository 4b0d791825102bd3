"""terse's GGUF files against those of llama.cpp's own tools: seconds and memory of converting a folder, KL divergence of block types.

    python gguf_files.py CHECKPOINT CONVERTER TOOLS CALIBRATION EVALUATION [WINDOWS]

Divergence is llama-perplexity's, over WINDOWS (16) of 512 tokens of the text EVALUATION, from the converter's f16 file; without and with an importance matrix
that llama-imatrix makes of the text CALIBRATION. quantize_speed.py measures the speed of quantizing.

CHECKPOINT is a folder, CONVERTER llama.cpp's convert_hf_to_gguf.py; TOOLS has llama-quantize, llama-imatrix and llama-perplexity. Each pair of quantized files
has the same types, tensor by tensor: those of `llama-quantize --pure`, which gives a tensor another type where rows are not whole super-blocks.
"""

import pathlib
import re
import subprocess
import sys
import tempfile

from gguf import GGUFReader

from measure import best_of, measured
from runtimes import TERSE

THREADS = 2
TYPES = ["Q8_0", "Q4_0", "IQ4_NL", "Q4_K", "Q6_K"]
ROLES = {
    "token_embd": "embedding", "output": "head", "attn_q": "q", "attn_k": "k", "attn_v": "v", "attn_output": "attention_output", "attn_qkv": "qkv",
    "ffn_gate": "gate", "ffn_up": "up", "ffn_down": "down",
}  # fmt: skip


class LlamaCpp:
    """Its tools. -nr: no repacking of weights, whose AMX kernels crash on some machines."""

    def __init__(self, tools):
        self.tools = pathlib.Path(tools)

    def quantize(self, model, out, kind, *options):
        return [self.tools / "llama-quantize", "--pure", *options, model, out, kind, THREADS]

    def run(self, tool, model, text, windows, *arguments):
        """What it prints."""
        command = [self.tools / tool, "-m", model, "-f", text, "-c", 512, "--chunks", windows, "-t", THREADS, "-nr", *arguments]
        done = subprocess.run([str(word) for word in command], capture_output=True, text=True)
        assert done.returncode == 0, done.stderr[-2000:]
        return done.stdout + done.stderr

    def importance(self, model, text, out, windows):
        self.run("llama-imatrix", model, text, windows, "-o", out)


class Divergence:
    """Mean KL divergence in nats from a model, and perplexity, of the tokens in each window's second half."""

    def __init__(self, llama_cpp, model, text, windows, logits):
        self.run = lambda model, *more: llama_cpp.run("llama-perplexity", model, text, windows, "--kl-divergence-base", logits, *more)
        self.run(model)

    def figures(self, model):
        """(divergence, perplexity)"""
        printed = self.run(model, "--kl-divergence")
        return tuple(float(re.search(f"Mean +{name} *: +(-?[0-9.]+)", printed).group(1)) for name in ("KLD", r"PPL\(Q\)"))

    def of(self, model):
        return self.figures(model)[0]


def types(path):
    return {tensor.name: (tensor.tensor_type.name, int(tensor.n_bytes)) for tensor in GGUFReader(path).tensors}


def equal_bytes(a, b):
    ours, theirs = ({t.name: t.data.tobytes() for t in GGUFReader(path).tensors} for path in (a, b))
    return ours == theirs


def passes(like):
    """A pass for every type, which makes terse give each weight the type that it has in a file."""
    roles = {}
    for name, (kind, _) in types(like).items():
        if kind != "F32":
            roles.setdefault(kind, {})[ROLES[name.split(".")[-2]]] = None
    return [word for kind, found in roles.items() for word in ("--pass", f"quantize,type={kind},only={'+'.join(found)}")]


def convert(checkpoint, converter, ours, theirs):
    """Makes both f16 files, which are equal in every tensor; (seconds, peak memory) of each."""
    peer = measured([sys.executable, converter, checkpoint, "--outfile", theirs, "--outtype", "f16"])
    terse = best_of(3, [TERSE, "convert", checkpoint, "-o", ours, "--dtype", "f16", "--threads", THREADS, "--force"])
    assert types(ours) == types(theirs) and equal_bytes(ours, theirs)
    return terse, peer


def quantize(llama_cpp, model, kind, ours, theirs, importance):
    """Makes both files, of equal types."""
    measured(llama_cpp.quantize(model, theirs, kind, *(["--imatrix", importance] if importance else [])))
    command = [TERSE, "compress", model, "-o", ours, *passes(theirs), "--threads", THREADS, "--force", "--quiet"]
    measured([*command, *(["--stats", importance] if importance else [])])
    assert types(ours) == types(theirs), "the files have not the same types"


def show(what, ours, theirs, peer):
    print(f"{what}: terse {ours[0]:.2f} s, {ours[1]:.0f} MB; {peer} {theirs[0]:.2f} s, {theirs[1]:.0f} MB: "
          f"{theirs[0] / ours[0]:.1f} times as fast, {ours[1] / theirs[1]:.2f} of its peak memory", flush=True)


def compare(folder, checkpoint, converter, tools, calibration, evaluation, windows=16):
    llama_cpp = LlamaCpp(tools)
    ours, model, theirs, importance = (folder / f"{name}.gguf" for name in ("ours", "f16", "theirs", "importance"))
    show("folder to f16", *convert(checkpoint, converter, ours, model), "convert_hf_to_gguf.py")
    base = Divergence(llama_cpp, model, evaluation, windows, folder / "base.logits")
    f16 = base.of(ours)
    print(f"f16: {f16:.1e} nats", flush=True)
    assert abs(f16) < 1e-5
    llama_cpp.importance(model, calibration, importance, windows)
    for kind in TYPES:
        for name, statistics in (("", None), (", importance matrix", importance)):
            quantize(llama_cpp, model, kind, ours, theirs, statistics)
            a, b = base.of(ours), base.of(theirs)
            print(f"{kind}{name}: {ours.stat().st_size / 1e6:.1f} MB, terse {a:.5f} nats, llama-quantize {b:.5f}: {a / b:.3f} of it", flush=True)


def main(*arguments):
    with tempfile.TemporaryDirectory() as folder:
        compare(pathlib.Path(folder), *arguments)


if __name__ == "__main__":
    main(*sys.argv[1:])

"""Rows of engine.py on GGUF files.

llama-perplexity judges blocks of 32: KL divergence and perplexity of the tokens in each window's second half. llama.cpp rounds the inputs of K-quants to 8 bits in
blocks of 256, which alone costs about half of what Q4_K_M does, in either file: K-quants are judged by their weights, `terse eval` computing in f32 over every token.
"""

import json

from encodings_like import encodings_like
from figures import Figure, needs
from gguf_files import THREADS, Divergence, LlamaCpp, types
from measure import measured
from runtimes import TERSE, terse

# What the engine is to reach, as a part of llama-quantize's divergence with an importance matrix.
BLOCK_TYPES = {"Q4_0": 0.6, "IQ4_NL": 0.6}
K_QUANTS = {"Q4_K_M": 0.6, "Q4_K_S": 0.6, "IQ4_XS": 0.6, "Q3_K_M": 0.6, "Q2_K": 0.6}
EVERY_LINEAR = ["--pure", "--token-embedding-type", "q8_0"]
SIZES = {"IQ4_NL": (0.5, EVERY_LINEAR), "Q4_K_M": (0.5, [])}
PEER = "llama-quantize, imatrix"


class Model:
    """A checkpoint as f16 GGUF, its importance matrix, and its divergence; made once."""

    def __init__(self, context, option):
        needs(context.options, option, "tools", "calibration", "evaluation")
        self.context, self.option, self.options = context, option, context.options
        self.llama_cpp = LlamaCpp(self.options.tools)
        folder = getattr(self.options, option)
        self.file = context.once(f"{option}.gguf", lambda out: terse("convert", folder, "-o", out, "--dtype", "f16"))

    def divergence(self):
        logits = self.context.path(f"{self.option}.logits")
        return Divergence(self.llama_cpp, self.file, self.options.evaluation, self.options.eval_windows, logits)

    def importance(self):
        windows = self.options.windows
        name = f"{self.option}-importance-{windows}.gguf"
        return self.context.once(name, lambda out: self.llama_cpp.importance(self.file, self.options.calibration, out, windows))

    def peer(self, kind, *options):
        command = [self.options.tools / "llama-quantize", "--imatrix", self.importance(), *options, self.file]
        return self.context.once(f"{self.option}-{kind}{'-pure' if options else ''}.gguf", lambda out: measured([*command, out, kind, THREADS]))

    def compress(self, *arguments):
        out = self.context.path("ours.gguf")
        measured([TERSE, "compress", self.file, "-o", out, "--force", "--quiet", "--threads", THREADS, *arguments, *self.context.calibrated()])
        return out

    def judge_by_weights(self, file):
        """(divergence, perplexity) over the first 8 windows, every token."""
        report = self.context.path("eval.json")
        terse("eval", file, "--reference", self.file, "--data", self.options.evaluation, "--samples", 8, "--seq-len", 512, "--report", report, "--quiet")
        found = json.loads(report.read_text())["evaluation"]
        return found["kl_mean"], found["perplexity"]

    def against(self, theirs, ours, what, target, judge):
        divergence, perplexity = judge(ours)
        peers_divergence, peers_perplexity = self.context.remembered(f"{theirs.name} by {judge.__qualname__}", lambda: judge(theirs))
        yield Figure(f"{what}: KL divergence", divergence, "nats", PEER, peers_divergence, ratio=target)
        yield Figure(f"{what}: perplexity", perplexity, "", PEER, peers_perplexity, ratio=1)


def same_types(model, judge, kinds, *options):
    """Files of the same types, tensor by tensor."""
    for kind, target in kinds.items():
        theirs, like = model.peer(kind, *options), model.context.path("types.txt")
        like.write_text(encodings_like(theirs))
        ours = model.compress("--encodings", like)
        assert types(ours) == types(theirs), "the files have not the same types"
        name = f"{kind}{' on every linear' if options else ''}, {ours.stat().st_size / 1e6:.1f} MB, {model.option}"
        yield from model.against(theirs, ours, name, target, judge)


def block_types(context):
    model = Model(context, "checkpoint")
    yield from same_types(model, model.divergence().figures, BLOCK_TYPES, *EVERY_LINEAR)


def k_quants(context):
    model = Model(context, "wide")
    yield from same_types(model, model.judge_by_weights, K_QUANTS)


def sizes(context):
    model = Model(context, "checkpoint")
    judge = model.divergence().figures
    for kind, (target, options) in SIZES.items():
        theirs = model.peer(kind, *options)
        limit = theirs.stat().st_size
        ours = model.compress("--max-size", f"{limit}B")
        assert ours.stat().st_size <= limit, "the file is larger than --max-size"
        yield from model.against(theirs, ours, f"--max-size {limit}, that of {kind}", target, judge)

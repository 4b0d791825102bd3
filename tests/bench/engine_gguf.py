"""Rows of engine.py that llama.cpp's tools judge: KL divergence by llama-perplexity, of the tokens in each window's second half."""

import subprocess

from encodings_like import encodings_like
from figures import Figure, Skipped, needs
from gguf_files import THREADS, Divergence, LlamaCpp, types
from measure import measured
from runtimes import TERSE, terse

# What the engine is to reach, as a part of llama-quantize's divergence with an importance matrix.
BLOCK_TYPES = {"Q4_0": 0.5, "IQ4_NL": 0.5}
K_QUANTS = {"Q4_K_M": 0.6, "Q4_K_S": 0.6, "IQ4_XS": 0.6, "Q3_K_M": 0.6, "Q2_K": 0.6}
SIZES = {"Q4_K_M": 0.6, "Q3_K_M": 0.6}


class Model:
    """A checkpoint as f16 GGUF, its importance matrix, and its divergence; made once."""

    def __init__(self, context, option):
        needs(context.options, option, "tools", "calibration", "evaluation")
        self.context, self.option = context, option
        self.llama_cpp = LlamaCpp(context.options.tools)
        folder = getattr(context.options, option)
        self.file = context.once(f"{option}.gguf", lambda out: terse("convert", folder, "-o", out, "--dtype", "f16"))

    def importance(self):
        options = self.context.options
        return self.context.once(f"{self.option}-importance.gguf", lambda out: self.llama_cpp.importance(self.file, options.calibration, out, options.windows))

    def divergence(self):
        options = self.context.options
        return Divergence(self.llama_cpp, self.file, options.evaluation, options.eval_windows, self.context.path(f"{self.option}.logits"))

    def peer(self, kind, *options):
        command = [self.context.options.tools / "llama-quantize", "--imatrix", self.importance(), *options, self.file]
        return self.context.once(f"{self.option}-{kind}.gguf", lambda out: measured([*command, out, kind, THREADS]))

    def compress(self, *arguments):
        out = self.context.path("ours.gguf")
        measured([TERSE, "compress", self.file, "-o", out, "--force", "--quiet", "--threads", THREADS, *arguments, *self.context.calibrated()])
        return out


def same_types(model, kinds, *options):
    """Files of the same types, tensor by tensor."""
    divergence = model.divergence()
    for kind, target in kinds.items():
        theirs, like = model.peer(kind, *options), model.context.path("types.txt")
        like.write_text(encodings_like(theirs))
        ours = model.compress("--encodings", like)
        assert types(ours) == types(theirs), "the files have not the same types"
        what = f"{kind}{' on every linear' if options else ''}, {ours.stat().st_size / 1e6:.1f} MB, width {model.option}"
        yield Figure(what, target, "llama-quantize --imatrix", divergence.of(theirs), divergence.of(ours), "nats")


def block_types(context):
    yield from same_types(Model(context, "checkpoint"), BLOCK_TYPES, "--pure", "--token-embedding-type", "q8_0")


def k_quants(context):
    yield from same_types(Model(context, "wide"), K_QUANTS)


def sizes(context):
    model = Model(context, "checkpoint")
    divergence = model.divergence()
    for kind, target in SIZES.items():
        theirs = model.peer(kind)
        limit = theirs.stat().st_size
        try:
            ours = model.compress("--max-size", f"{limit}B")
        except AssertionError as error:
            raise Skipped(str(error).strip().splitlines()[-1]) from error
        assert ours.stat().st_size <= limit, "the file is larger than --max-size"
        yield Figure(f"--max-size {limit / 1e6:.1f}MB", target, f"llama-quantize {kind} --imatrix", divergence.of(theirs), divergence.of(ours), "nats")


def has_option(command, option):
    return option in subprocess.run([str(TERSE), command, "--help"], capture_output=True, text=True, check=True).stdout


def statistics(context):
    model = Model(context, "checkpoint")
    options, out = context.options, context.path("timed.gguf")
    command = ["-f", options.calibration, "-c", 512, "--chunks", options.windows, "-t", THREADS, "-nr", "-o", out]
    theirs = measured([options.tools / "llama-imatrix", "-m", model.file, *command])
    terse_command = [TERSE, "compress", model.file, "-o", context.path("ours.gguf"), "--force", "--quiet", "--threads", THREADS, *context.calibrated()]
    ours = measured([*terse_command, "--pass", "quantize,type=Q4_0"])
    yield Figure("calibrated run, statistics, solving and writing: peak memory", None, "llama-imatrix alone", theirs[1], ours[1], "MB")
    yield Figure("calibrated run, statistics, solving and writing: time", None, "llama-imatrix alone", theirs[0], ours[0], "s")
    if not has_option("compress", "--save-stats"):
        raise Skipped("this terse has no --save-stats to time alone")
    saved = context.path("saved.gguf")
    ours = measured([*terse_command, "--pass", "quantize,type=Q8_0,solver=weighted", "--save-stats", saved])
    assert saved.stat().st_size > 0
    yield Figure("statistics saved, the rest weighted only: time", 1, "llama-imatrix", theirs[0], ours[0], "s")

"""Rows of engine.py on zeros and shared values: perplexity and KL divergence by `terse eval`, of all tokens."""

import json

from figures import Figure, needs
from measure import measured
from pruning_reference import main as prune_as_published
from runtimes import TERSE, terse

PATTERNS = {"50 %": ("0.5", "ratio=0.5"), "2:4": ("2:4", "pattern=2:4")}
PUBLISHED, TOGETHER, CLUSTER = 1.02, 1.0, 0.5  # the largest ratios that are wanted


class Judge:
    def __init__(self, context):
        needs(context.options, "checkpoint", "calibration", "evaluation")
        self.context, self.checkpoint = context, context.options.checkpoint

    def figures(self, model, *arguments):
        options, report = self.context.options, self.context.path("eval.json")
        terse("eval", model, "--data", options.evaluation, "--samples", options.eval_windows, "--seq-len", 512, "--report", report, "--quiet",
              "--tokenizer", self.checkpoint, *arguments)  # fmt: skip
        return json.loads(report.read_text())["evaluation"]

    def perplexity(self, model):
        return self.figures(model)["perplexity"]

    def divergence(self, model):
        return self.figures(model, "--reference", self.checkpoint)["kl_mean"]

    def compress(self, model, out, *passes, data=True, zeros=0):
        """`zeros`: how many weights of a hundred have to be zero in each matrix that passes changed."""
        words, report = [word for text in passes for word in ("--pass", text)], self.context.path("compress.json")
        calibration = self.context.calibrated() if data else []
        measured([TERSE, "compress", model, "-o", out, "--force", "--quiet", "--report", report, *words, *calibration])
        changed = [weight for weight in json.loads(report.read_text())["weights"] if "zeros" in weight]
        assert changed and all(weight["zeros"] >= zeros / 100 for weight in changed), "the file lacks zeros"
        return out


def pruning(context):
    judge, options = Judge(context), context.options
    for name, (pattern, option) in PATTERNS.items():
        ours = judge.perplexity(judge.compress(judge.checkpoint, context.path("ours"), f"prune,{option}", zeros=49.9))
        for method in ("sparsegpt", "wanda"):
            folder = context.once(
                f"{method}-{pattern.replace(':', 'of')}-{options.windows}",
                lambda out, method=method: prune_as_published(judge.checkpoint, method, pattern, options.calibration, out, options.windows),
            )
            theirs = context.remembered(folder.name, lambda: judge.perplexity(folder))
            yield Figure(f"pruned {name}: perplexity", ours, "", method, theirs, ratio=PUBLISHED)
    yield together(judge, context)


def together(judge, context):
    """Half of the weights zero and the rest in 4 bits."""
    mask, codes = "prune,pattern=2:4", "quantize,bits=4,block=32"
    once = judge.perplexity(judge.compress(judge.checkpoint, context.path("together"), mask, codes, zeros=50))
    pruned = judge.compress(judge.checkpoint, context.path("pruned"), mask, zeros=50)
    # Errors are not compensated in the second step: that would fill the zeros.
    after = judge.perplexity(judge.compress(pruned, context.path("after"), codes + ",solver=weighted", zeros=50))
    return Figure("2:4 and int4 solved together: perplexity", once, "", "one after the other", after, ratio=TOGETHER)


def clusters(context):
    judge = Judge(context)
    plain = judge.divergence(judge.compress(judge.checkpoint, context.path("plain.onnx"), "cluster,centroids=16,group=row", data=False))
    ours = judge.divergence(judge.compress(judge.checkpoint, context.path("ours.onnx"), "cluster,centroids=16,group=row"))
    yield Figure("cluster-16: KL divergence", ours, "nats", "without calibration", plain, ratio=CLUSTER)

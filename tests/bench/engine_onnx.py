"""Rows of engine.py that onnxruntime judges, its own 4-bit quantizer being the peer."""

import sys

import numpy as np

from accuracy import divergence, reference_logits, sentence_vectors
from compress import PEER
from figures import Figure, needs
from measure import measured
from runtimes import TERSE, cosines

NAME, NATS, AWAY = "onnxruntime's quantizer", 0.15, 1 - 0.985  # the largest numbers that are wanted


def quantized(context, model, tokenizer, *calibration):
    """terse's file, calibrated, and onnxruntime's."""
    ours, theirs = context.path("ours.onnx"), context.once(f"theirs-{model.parents[1].name}.onnx", lambda out: peer(model, out))
    measured([TERSE, "compress", model, "-o", ours, "--recipe", "int4", "--force", "--quiet", "--tokenizer", tokenizer, *calibration])
    assert ours.stat().st_size < theirs.stat().st_size
    return ours, theirs


def peer(model, out):
    measured([sys.executable, "-c", PEER, model, out], OMP_NUM_THREADS="1")


def language_model(context):
    needs(context.options, "models", "checkpoint", "calibration")
    model = context.options.models / "smollm2-onnx/dynamo/model.onnx"
    ours, theirs = quantized(context, model, context.options.checkpoint, *context.calibrated())
    references = reference_logits(model)
    size = f"{ours.stat().st_size / 1e6:.1f} and {theirs.stat().st_size / 1e6:.1f} MB"
    peers = context.remembered("ONNX", lambda: float(divergence(theirs, references)))
    yield Figure(f"ONNX int4, {size}: KL divergence", divergence(ours, references), "nats", NAME, peers, most=NATS)


def encoder(context):
    needs(context.options, "models", "encoder", "calibration")
    model = context.options.models / "minilm-onnx/dynamo/model.onnx"
    ours, theirs = quantized(context, model, context.options.encoder, "--data", context.options.calibration)
    with np.load(model.parents[1] / "sentences-300.npz") as saved:
        sentences = dict(saved)
    expected = sentence_vectors(model, sentences)
    found, peers = (1 - cosines(sentence_vectors(file, sentences), expected).mean() for file in (ours, theirs))
    yield Figure("MiniLM int4: 1 - mean cosine", found, "", NAME, peers, most=round(AWAY, 3))

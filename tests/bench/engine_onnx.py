"""Rows of engine.py that onnxruntime judges, its own 4-bit quantizer being the peer."""

import sys

import numpy as np

from accuracy import divergence, reference_logits, sentence_vectors
from compress import PEER
from figures import Figure, needs
from measure import measured
from runtimes import TERSE, cosines

LANGUAGE_MODEL, ENCODER = 0.35, 0.5  # the largest ratios that are wanted


def quantized(context, model, tokenizer, *calibration):
    """terse's file, calibrated, and onnxruntime's."""
    ours, theirs = context.path("ours.onnx"), context.path("theirs.onnx")
    measured([TERSE, "compress", model, "-o", ours, "--recipe", "int4", "--force", "--quiet", "--tokenizer", tokenizer, *calibration])
    measured([sys.executable, "-c", PEER, model, theirs], OMP_NUM_THREADS="1")
    assert ours.stat().st_size < theirs.stat().st_size
    return ours, theirs


def language_model(context):
    needs(context.options, "models", "checkpoint", "calibration")
    model = context.options.models / "smollm2-onnx/dynamo/model.onnx"
    ours, theirs = quantized(context, model, context.options.checkpoint, *context.calibrated())
    references = reference_logits(model)
    size = f"{ours.stat().st_size / 1e6:.1f} and {theirs.stat().st_size / 1e6:.1f} MB"
    yield Figure(f"ONNX int4, {size}", LANGUAGE_MODEL, "onnxruntime's quantizer", divergence(theirs, references), divergence(ours, references), "nats")


def encoder(context):
    needs(context.options, "models", "encoder", "calibration")
    model = context.options.models / "minilm-onnx/dynamo/model.onnx"
    ours, theirs = quantized(context, model, context.options.encoder, "--data", context.options.calibration)
    with np.load(model.parents[1] / "sentences-300.npz") as saved:
        sentences = dict(saved)
    expected = sentence_vectors(model, sentences)
    found, peers = (1 - cosines(sentence_vectors(file, sentences), expected).mean() for file in (ours, theirs))
    yield Figure("MiniLM int4: 1 - mean cosine", ENCODER, "onnxruntime's quantizer", peers, found, "")

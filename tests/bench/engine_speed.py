"""Rows of engine.py on time and memory: both sides in this run."""

import contextlib
import io
import json
import os
import subprocess

import large_calibration
from engine_gguf import Model
from figures import Figure, needs
from gguf_files import THREADS
from measure import measured
from python_peers import __file__ as PYTHON_PEERS
from runtimes import TERSE

STATISTICS, GPTQ, AUTOROUND = 1 / 8, 1 / 6, 1 / 20  # the largest ratios that are wanted
MEMORY, LARGE_MEMORY = 600, 4 * 1024**3 / 1e6  # MB
TUNED_WINDOWS, TUNED_LAYERS = 16, 1  # of AutoRound, whose time does not depend on the number of windows: it draws 8 for each step


def statistics(context):
    model = Model(context, "checkpoint")
    options, saved = context.options, context.path("saved.gguf")
    command = ["-f", options.calibration, "-c", 512, "--chunks", options.windows, "-t", THREADS, "-nr", "-o", context.path("timed.gguf")]
    theirs = measured([options.tools / "llama-imatrix", "-m", model.file, *command])
    ours = measured([TERSE, "measure", model.file, "-o", saved, "--quiet", "--threads", THREADS, *context.calibrated()])
    assert saved.stat().st_size > 0
    what = f"statistics of {options.windows} windows of 512"
    yield Figure(f"{what}: time", ours[0], "s", "llama-imatrix", theirs[0], ratio=STATISTICS)
    yield Figure(f"{what}: peak memory", ours[1], "MB", "llama-imatrix", theirs[1])


def python_peer(options, method, windows, *layers):
    command = [options.peers, PYTHON_PEERS, method, options.checkpoint, options.calibration, windows, *layers]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"}
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr[-2000:]
    return float(done.stdout.splitlines()[-1])


def calibrated(context):
    needs(context.options, "checkpoint", "calibration")
    options, files = context.options, {threads: context.path(f"ours-{threads}.onnx") for threads in (1, 2)}
    command = [TERSE, "compress", options.checkpoint, "--recipe", "int4", "--force", "--quiet", *context.calibrated()]
    seconds, memory = {threads: measured([*command, "-o", file, "--threads", threads]) for threads, file in files.items()}[THREADS]
    one, two = (file.read_bytes() for file in files.values())
    assert one == two, "other bytes on one thread"
    what = f"int4, calibrated on {options.windows} windows of 512"
    yield Figure(f"{what}, the same bytes on one thread: peak memory", memory, "MB", most=MEMORY)
    needs(options, "peers")
    theirs = python_peer(options, "gptq", options.windows)
    yield Figure(f"{what}: time", seconds, "s", "llm-compressor's GPTQ", theirs, ratio=GPTQ)
    with open(options.checkpoint / "config.json") as file:
        layers = json.load(file)["num_hidden_layers"]
    theirs = python_peer(options, "autoround", TUNED_WINDOWS, TUNED_LAYERS) * layers / TUNED_LAYERS
    yield Figure(f"{what}: time", seconds, "s", f"AutoRound, 200 steps, from {TUNED_LAYERS} of {layers} layers", theirs, ratio=AUTOROUND)


def large(context):
    needs(context.options, "scratch")
    with contextlib.redirect_stdout(io.StringIO()):
        few, many = (large_calibration.measure(context.options.scratch, layers, 64)[1] for layers in (1, 2))
    full = many + (many - few) * (large_calibration.FULL_DEPTH - 2)
    what = "int4 of a Llama of 7B's shape, 64 windows of 512: peak memory"
    yield Figure(f"{what}, 2 layers", many, "MB", most=round(LARGE_MEMORY))
    yield Figure(f"{what}, {large_calibration.FULL_DEPTH} layers, from 1 and 2", full, "MB", most=round(LARGE_MEMORY))

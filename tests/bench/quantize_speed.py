"""`terse compress` of an f16 GGUF file to block types against llama-quantize on the same file, two threads each.

    python quantize_speed.py MODEL-f16.gguf LLAMA_QUANTIZE [TYPE]...

Seconds (of the clock, and the processor's in all threads) and peak memory (file pages included) of whole runs, terse's smoke check included; squared errors over
the weights that have the same type in both files. llama-quantize has --pure, so that all weights get the type or its stand-in for odd rows, as from terse. Fails if an error is larger.
"""

import pathlib
import resource
import subprocess
import sys
import tempfile

import gguf
import numpy as np
from measure import best_of
from runtimes import TERSE

TYPES = ["Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q8_0", "IQ4_NL", "Q4_K", "Q6_K"]
RUNS = 3
THEIR_NAMES = {"Q4_K": "Q4_K_S", "Q5_K": "Q5_K_S", "Q3_K": "Q3_K_S"}


def processor_seconds(command):
    """User and system, of all threads: hardly changed by other work on the machine."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([str(word) for word in command], check=True, capture_output=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def costs(command):
    return best_of(RUNS, command) + (min(processor_seconds(command) for _ in range(RUNS)),)


def tensors(path):
    return {tensor.name: tensor for tensor in gguf.GGUFReader(path).tensors}


def numbers(tensor):
    return gguf.quants.dequantize(tensor.data, tensor.tensor_type).astype(np.float32)


def error_ratio(original, ours, theirs):
    """Of squared errors, ours to theirs, over the quantized tensors of equal type; how many those are."""
    before, a, b = tensors(original), tensors(ours), tensors(theirs)
    same = [name for name in a if name in b and a[name].tensor_type == b[name].tensor_type != before[name].tensor_type]
    sums = np.zeros(2)
    for name in same:
        w = numbers(before[name])
        sums += [np.square(numbers(file[name]) - w).sum(dtype=np.float64) for file in (a, b)]
    return sums[0] / sums[1], len(same)


def main(model, llama_quantize, *types):
    worst = 0
    for name in types or TYPES:
        with tempfile.TemporaryDirectory() as folder:
            ours, theirs = pathlib.Path(folder) / "ours.gguf", pathlib.Path(folder) / "theirs.gguf"
            compress = [TERSE, "compress", model, "-o", ours, "--pass", f"quantize,type={name},only=matrices", "--threads", "2", "--quiet", "--force"]
            a, b = costs(compress), costs([llama_quantize, "--pure", model, theirs, THEIR_NAMES.get(name, name), "2"])
            ratio, count = error_ratio(model, ours, theirs)
            worst = max(worst, ratio)
            for tool, (seconds, memory, work) in {"terse": a, "llama-quantize": b}.items():
                print(f"{name:7} {tool:15} {seconds:6.2f} s, {work:6.2f} s of the processor, {memory:4.0f} MB")
            print(f"{'':7} {b[0] / a[0]:.2f} and {b[2] / a[2]:.2f} times as fast, error {ratio:.4f} over {count} tensors", flush=True)
    sys.exit(1 if worst > 1 else 0)


if __name__ == "__main__":
    main(*sys.argv[1:])

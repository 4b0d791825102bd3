"""`terse eval` on a checkpoint against llama-perplexity on the same f16 weights, windows of 512 tokens, two threads each.

    python eval_speed.py CHECKPOINT MODEL-f16.gguf TEXT LLAMA_PERPLEXITY

Marginal seconds a window: the difference between a run over many windows and one over a few, so that loading counts for neither. The perplexities are compared
by llama.cpp's rule, the second half of each window.
"""

import re
import subprocess
import sys

from measure import best_of
from runtimes import TERSE, terse

FEW, MANY = 1, 17


def marginal(command):
    """`command(n)` runs n windows."""
    few, many = (best_of(2, command(n))[0] for n in (FEW, MANY))
    return (many - few) / (MANY - FEW)


def main(checkpoint, gguf, text, llama_perplexity):
    # -nr: no repacking, whose AMX kernels crash on some machines
    theirs = lambda n: [llama_perplexity, "-m", gguf, "-f", text, "-c", "512", "--chunks", n, "-t", "2", "-nr"]
    ours = lambda n: [TERSE, "eval", checkpoint, "--data", text, "--seq-len", "512", "--samples", n, "--threads", "2", "--score", "second-half", "--quiet"]
    said = subprocess.run([str(word) for word in theirs(MANY)], capture_output=True, text=True, check=True)
    peer = float(re.search(r"PPL = ([0-9.]+)", said.stdout + said.stderr).group(1))
    found = float(re.search(r"perplexity +([0-9.]+)", terse(*ours(MANY)[1:])).group(1))
    our_seconds, their_seconds = marginal(ours), marginal(theirs)
    print(f"terse {512 / our_seconds:.0f} tokens a second, llama-perplexity {512 / their_seconds:.0f}: {their_seconds / our_seconds:.2f} times as fast; "
          f"perplexity {found:.4f} and {peer:.4f}")
    assert abs(found - peer) < 0.01 * peer


if __name__ == "__main__":
    main(*sys.argv[1:])

"""`terse tokenize`, start and printing included, against Hugging Face's tokenizers in one thread: megabytes a second, and the same ids.

    python tests/bench/tokenizer_speed.py TEXT TOKENIZER...
"""

import json
import os
import subprocess
import sys
import tempfile
import time

os.environ["TOKENIZERS_PARALLELISM"] = "false"
from tokenizers import Tokenizer  # noqa: E402

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "../interop"))
from runtimes import TERSE  # noqa: E402

REPEATS = 3


def best(work):
    seconds = []
    for _ in range(REPEATS):
        start = time.perf_counter()
        result = work()
        seconds.append(time.perf_counter() - start)
    return min(seconds), result


def main(text, *paths):
    with open(text, encoding="utf-8", newline="\n") as file:
        lines = file.read().removesuffix("\n").split("\n")
    megabytes = os.path.getsize(text) / 1e6
    for path in paths:
        tokenizer = Tokenizer.from_file(path)
        tokenizer.no_padding()
        tokenizer.no_truncation()
        theirs, expected = best(lambda: [tokenizer.encode(line).ids for line in lines])
        ours, printed = best(lambda: subprocess.run([str(TERSE), "tokenize", path, text, "--json"], capture_output=True, check=True).stdout)
        with tempfile.NamedTemporaryFile() as nothing:
            empty, _ = best(lambda: subprocess.run([str(TERSE), "tokenize", path, nothing.name], capture_output=True, check=True))
        same = [json.loads(line) for line in printed.splitlines()] == expected
        print(
            f"{path}: {megabytes / theirs:.1f} MB/s theirs, {megabytes / (ours - empty):.1f} MB/s ours, {theirs / (ours - empty):.1f} times as fast"
            f" ({theirs / ours:.1f} with {empty:.2f} s to start); ids {'equal' if same else 'DIFFER'}"
        )


if __name__ == "__main__":
    main(*sys.argv[1:])

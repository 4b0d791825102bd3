"""Prints the --encodings file that gives a model the types of another file, weight by weight, so that the two compare.

    python encodings_like.py FILE > types.txt
"""

import json
import sys

import measure  # noqa: F401  (finds runtimes)
from runtimes import terse


def encodings_like(model):
    """A line a matrix: its name and its encoding, where that is a float type or one of GGUF's."""
    weights = json.loads(terse("inspect", model, "--tensors", "--json"))["model"]["weights"]
    return "".join(f"{weight['name']} {weight['encoding']}\n" for weight in weights if len(weight["shape"]) >= 2)


if __name__ == "__main__":
    print(encodings_like(sys.argv[1]), end="")

"""The README's table of families: a tiny random checkpoint of each through every target, judged by the runtime that loads the result.

    build/interop/bin/python tests/interop/family_table.py

Prints Markdown. A cell is the relative error of the outputs, or why there is none."""

import pathlib
import tempfile

import families
from runtimes import compress, relative_error, run_onnxruntime, terse
from test_folders import arrays, run_terse, run_transformers

FAMILIES = [
    "llama", "llama3", "mistral", "phi", "phi3", "gemma", "gemma2", "granite", "gpt2", "gpt_neo", "gptj",
    "bert", "distilbert", "albert", "electra", "electra-generator", "mobilebert", "t5", "t5-gated",
]  # fmt: skip
# GPT-2's linears are Conv1D modules, which compressed-tensors does not know; T5's weights are initialised by transformers where codes would be.
WITHOUT_CODES = ["gpt2", "t5", "t5-gated"]
COLUMNS = ["`terse run`", "ONNX", "int8 ONNX", "int4 ONNX", "folder", "int4 folder"]


def worst(found, expected):
    return f"{max(relative_error(found[name], values) for name, values in expected.items()):.0e}"


def onnx_cell(folder, out, inputs, preset):
    """A compressed file in onnxruntime against `terse run` on it."""
    compress(folder, out, preset)
    return worst(run_onnxruntime(out, inputs), run_terse(out, inputs, out.with_suffix(".run")))


def quantized_folder_cell(family, folder, out, inputs):
    if family in WITHOUT_CODES:
        return "–"
    terse("compress", folder, "-o", out, "--recipe", "int4")
    return worst(run_terse(out, inputs, out.with_suffix(".run")), run_transformers(family, out, inputs))


def row(family, work):
    folder = families.make(family, "checkpoint", work)
    inputs, expected = arrays(folder / "inputs.npz"), arrays(folder / "outputs.npz")
    terse("convert", folder, "-o", work / "dense.onnx")
    terse("convert", folder, "-o", work / "dense")
    return [
        worst(run_terse(folder, inputs, work / "run"), expected),
        worst(run_onnxruntime(work / "dense.onnx", inputs), expected),
        onnx_cell(folder, work / "int8.onnx", inputs, "int8"),
        onnx_cell(folder, work / "int4.onnx", inputs, "int4"),
        worst(run_transformers(family, work / "dense", inputs), expected),
        quantized_folder_cell(family, folder, work / "int4-folder", inputs),
    ]


def main():
    print("| family |", " | ".join(COLUMNS), "|")
    print("| --- |", " | ".join("---" for _ in COLUMNS), "|")
    for family in FAMILIES:
        with tempfile.TemporaryDirectory() as work:
            print(f"| {family} |", " | ".join(row(family, pathlib.Path(work))), "|", flush=True)


if __name__ == "__main__":
    main()

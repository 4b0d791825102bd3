"""The families' table: a tiny random checkpoint of each under its public names, and its raw exports, through everything that terse does with them.

    build/interop/bin/python tests/interop/family_table.py [--write] [FAMILY...]

Prints Markdown; `--write` puts these rows, or all, between README.md's marks. A cell is what was proven, each by the runtime that loads the result:

    terse run     a folder's outputs are PyTorch's, to 1e-4
    ONNX          f32: onnxruntime's outputs are PyTorch's, to 1e-4; int8, int4: those of `terse run` on the file, to 1e-3
    GGUF          f32: llama.cpp's outputs are PyTorch's, to 1e-3 (its GELU is a table of f16); int4: those of `terse run`, to 5e-2 (it rounds what meets blocks)
    folder        transformers' outputs on the written folder are PyTorch's, to 1e-5; int4: those of `terse run`, to 1e-3
    data          int4 by `compress --data --eval-data`: onnxruntime's outputs are those of `terse run`, to 1e-3, and no further from PyTorch's than without data
    dynamo, TorchScript
                  the raw export: `terse run` gives PyTorch's outputs, to 1e-4; int8 and int4 run in onnxruntime as in terse; the cell is the share of the
                  bytes of PyTorch's linears that got 4 bits

"–" says that there is nothing to prove: terse builds no such family from a checkpoint, or the target has no form for it. Errors are relative, of norms.
"""

import argparse
import json
import pathlib
import re
import tempfile
import warnings
from dataclasses import dataclass
from functools import cached_property

import families
import gguf_models
import llama_cpp
import numpy as np
import torch
import transformers
from runtimes import ROOT, compress, relative_error, run_onnxruntime, run_terse, terse
from test_folders import arrays, run_terse as run_folder, run_transformers

README = ROOT / "README.md"
MARKS = ("<!-- families: made by tests/interop/family_table.py -->\n", "<!-- families end -->\n")
NOTHING = "–"
# compressed-tensors has none for Conv1D modules, nor for experts that a file holds in one tensor; transformers initialises T5's weights where codes would be.
WITHOUT_CODES = ["gpt2", "granitemoe", "t5", "t5-gated"]
LEGEND = """What is known of each family, proven on a tiny random model: `terse run` of its checkpoint gives PyTorch's outputs; ONNX files run in onnxruntime, GGUF files in
llama.cpp, folders in transformers, all with the outputs that PyTorch gives (compressed ones: that `terse run` gives); `compress --data` works end to end. The last
two columns are raw exports by torch's exporters: they run with PyTorch's outputs, and `int4` reaches this share of the bytes of their linears.

"""
ROUTER = re.compile(r"router|mlp\.gate\b")  # stays in float


@dataclass
class Case:
    """A family in a folder of its own."""

    name: str
    work: pathlib.Path

    @cached_property
    def folder(self):
        return families.make(self.name, "checkpoint", self.work)

    @property
    def row(self):
        return families.FAMILIES[self.name]

    @cached_property
    def inputs(self):
        return arrays(self.folder / "inputs.npz")

    @cached_property
    def expected(self):
        return arrays(self.folder / "outputs.npz")

    @cached_property
    def is_built(self):
        """False if the program says that it knows no such family of checkpoints."""
        try:
            terse("inspect", self.folder)
        except AssertionError as error:
            if "is no family that this version knows" not in str(error):
                raise
            return False
        return True


def model_type(row):
    return getattr(transformers, row.config).model_type


def worst(found, expected):
    return max(relative_error(found[name], values) for name, values in expected.items())


def hold(what, error, bound):
    assert error <= bound, f"{what}: relative error {error:.1e}, expected at most {bound:.0e}"


def prove_run(case):
    hold("terse run", worst(run_folder(case.folder, case.inputs, case.work / "run"), case.expected), 1e-4)
    return "yes"


def prove_onnx(case):
    terse("convert", case.folder, "-o", case.work / "f32.onnx")
    hold("f32 ONNX", worst(run_onnxruntime(case.work / "f32.onnx", case.inputs), case.expected), 1e-4)
    for preset in ("int8", "int4"):
        hold(preset, in_both(compress(case.folder, case.work / f"{preset}.onnx", preset), case), 1e-3)
    return "f32, int8, int4"


def in_both(model, case):
    """How far onnxruntime's outputs are from `terse run`'s."""
    return worst(run_onnxruntime(model, case.inputs), run_terse(model, case.inputs, model.with_suffix(".run")))


def gguf_rows(case):
    """The rows of gguf_models that are of this family: the one of its name, else all of its type."""
    rows = gguf_models.MODELS
    return [case.name] if case.name in rows else [name for name, model in rows.items() if model_type(model.family) == model_type(case.row)][:1]


def prove_gguf(case):
    for name in gguf_rows(case):
        made = gguf_models.make(name, case.work / "gguf")
        terse("convert", made.folder, "-o", case.work / "f32.gguf")
        hold("f32 GGUF", relative_error(llama_cpp.outputs(case.work / "f32.gguf", made), made.expected), 1e-3)
        small = compress(made.folder, case.work / "int4.gguf", "int4")
        ours = run_folder(small, made.feed(), case.work / "gguf-run")
        hold("int4 GGUF", relative_error(llama_cpp.outputs(small, made), ours[made.row.family.outputs[0]]), 5e-2)
        return "f32, int4"
    return NOTHING


def prove_folder(case):
    terse("convert", case.folder, "-o", case.work / "dense")
    hold("folder", worst(run_transformers(case.name, case.work / "dense", case.inputs), case.expected), 1e-5)
    if case.name in WITHOUT_CODES:
        return "f32"
    small = case.work / "int4-folder"
    terse("compress", case.folder, "-o", small, "--recipe", "int4")
    hold("int4 folder", worst(run_folder(small, case.inputs, case.work / "small-run"), run_transformers(case.name, small, case.inputs)), 1e-3)
    return "f32, int4"


def prove_data(case):
    data = case.work / "data.npz"
    np.savez(data, **families.feed(case.row, (16, 24, 12), seed=7))
    report = case.work / "report.json"
    solved = compress(case.folder, case.work / "data.onnx", "int4", "--data", data, "--eval-data", data, "--report", report)
    hold("int4 --data", in_both(solved, case), 1e-3)
    plain = compress(case.folder, case.work / "plain.onnx", "int4", "--eval-data", data, "--report", case.work / "plain.json")
    assert figure(report) <= 1.02 * figure(case.work / "plain.json"), f"{plain}: with data the outputs are further from PyTorch's than without"
    return "yes"


def figure(report):
    """How far a compressed model is from the original: the lower the better."""
    found = json.loads(report.read_text())["evaluation"]
    return -found["snr_db"] if "kl_mean" not in found else found["kl_mean"]


def linear_bytes(family):
    """Of PyTorch's linears, those of experts too: of all matrices but tables, heads and routers."""
    model = families.build(family)
    head = model.get_output_embeddings()
    count = 0
    for name, weight in model.named_parameters():
        is_head = (head is not None and weight is head.weight) or name == "cls.predictions.dense.weight"  # MobileBERT's has two parts
        if weight.dim() > 1 and not is_head and not families.is_table(model, weight) and not ROUTER.search(name):
            count += weight.nbytes
    return count


def prove_export(case, exporter):
    try:
        folder = families.make(case.name, exporter, case.work)
    except Exception as error:  # of an exporter, whatever its type
        return f"torch cannot ({type(error).__name__})"
    model, inputs = folder / "model.onnx", arrays(folder / "inputs.npz")
    hold(exporter, worst(run_terse(model, inputs, case.work / exporter), arrays(folder / "outputs.npz")), 1e-4)
    for preset in ("int8", "int4"):
        small = compress(model, case.work / f"{exporter}-{preset}.onnx", preset, "--report", case.work / f"{exporter}.json")
        hold(f"{exporter} {preset}", in_both(small, case), 1e-3)
    weights = json.loads((case.work / f"{exporter}.json").read_text())["weights"]
    reached = sum(w["bytes_before"] for w in weights if "int4" in w["after"])
    return f"{100 * reached // linear_bytes(case.name)} %"


def prove_dynamo(case):
    return prove_export(case, "dynamo")


def prove_torchscript(case):
    return prove_export(case, "torchscript")


CHECKPOINT = {"`terse run`": prove_run, "ONNX": prove_onnx, "GGUF": prove_gguf, "folder": prove_folder, "`--data`": prove_data}
EXPORTS = {"dynamo": prove_dynamo, "TorchScript": prove_torchscript}
HEADINGS = ["family", "class", *CHECKPOINT, *EXPORTS]


def cell(prove, case):
    try:
        return prove(case)
    except AssertionError as error:
        return f"FAILS: {str(error).splitlines()[0]}"


def make_row(name):
    with tempfile.TemporaryDirectory() as work:
        case = Case(name, pathlib.Path(work))
        cells = [cell(prove, case) if case.is_built else NOTHING for prove in CHECKPOINT.values()]
        cells += [cell(prove, case) for prove in EXPORTS.values()]
    return line([name, f"`{families.FAMILIES[name].model}`", *cells])


def line(cells):
    return f"| {' | '.join(cells)} |\n"


def heading():
    return LEGEND + line(HEADINGS) + line(["---"] * len(HEADINGS))


def written():
    """What stands between README.md's marks."""
    text = README.read_text()
    return text[text.index(MARKS[0]) + len(MARKS[0]) : text.index(MARKS[1])]


def written_rows():
    """README.md's rows by family."""
    rows = [row for row in written().splitlines(keepends=True) if row.startswith("|")][2:]
    return {row.split(" | ")[0].removeprefix("| "): row for row in rows}


def write(rows):
    README.write_text(README.read_text().replace(written(), heading() + "".join(rows[name] for name in families.FAMILIES if name in rows)))


def main():
    warnings.filterwarnings("ignore")
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    parser = argparse.ArgumentParser()
    parser.add_argument("--write", action="store_true")
    parser.add_argument("names", nargs="*", default=[])
    options = parser.parse_args()
    print(heading(), end="")
    rows = written_rows()
    for name in options.names or families.FAMILIES:
        rows[name] = make_row(name)
        print(rows[name], end="", flush=True)
    if options.write:
        write(rows)


if __name__ == "__main__":
    main()

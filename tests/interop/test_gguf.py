"""GGUF files of terse in llama.cpp: tiny random models of every family that it has, to GGUF and back.

A model's outputs are PyTorch's on the folder, llama.cpp's on the file, terse's on the file, and those of what terse makes of the file again.
"""

import json
import pathlib
import shutil
import subprocess

import families
import gguf
import gguf_models
import llama_cpp
import numpy as np
import pytest
import tokenizer_zoo as zoo
import torch
import transformers
from gguf_models import MODELS
from runtimes import ROOT, TERSE, relative_error, run_onnxruntime, terse
from safetensors.torch import load_file, save_file

# Correct executors of f32 differ by 1e-6. llama.cpp looks GELU up in a table of f16 numbers, 3e-4; rounds what meets f16 weights to f16, 1e-3; and what
# meets blocks of 4 bits and more to 8 bits.
TOLERANCE = {"f32": 1e-3, "f16": 3e-3, "blocks": 5e-2}
BLOCK_TYPES = ["Q8_0", "Q6_K", "Q5_K", "Q4_K", "Q3_K", "Q2_K", "IQ4_XS", "IQ4_NL", "Q5_1", "Q5_0", "Q4_1", "Q4_0"]
NAMES = [name for name in MODELS if "wide" not in name]
# Transformers reads a SentencePiece file otherwise beside Phi-3, whose own folders have a tokenizer.json.
TOKENIZED = [name for name in NAMES if name not in ("distilbert", "fused", "longrope", "longrope-short")]


@pytest.fixture(scope="session")
def made(tmp_path_factory):
    """Gives a model's folder, ids and PyTorch's outputs, made at their first use."""
    root, kept = tmp_path_factory.mktemp("gguf"), {}
    return lambda name: kept[name] if name in kept else kept.setdefault(name, gguf_models.make(name, root / name))


@pytest.fixture(scope="session")
def files(made, tmp_path_factory):
    """Gives the GGUF file that terse makes of a model's folder in a type, made at its first use."""
    root = tmp_path_factory.mktemp("gguf-files")

    def file(name, dtype):
        path = root / f"{name}-{dtype}.gguf"
        if not path.exists():
            terse("convert", made(name).half if dtype == "f16" else made(name).folder, "-o", path)
        return path

    return file


def run_terse(path, model, folder):
    folder.mkdir(exist_ok=True)
    arguments = []
    for name, array in model.feed().items():
        np.save(folder / f"{name}.npy", array)
        arguments += ["--input", f"{name}={folder / name}.npy"]
    terse("run", path, *arguments, "--output-dir", folder / "out")
    return np.load(folder / "out" / f"{model.row.family.outputs[0]}.npy")


def run_transformers(folder, model):
    loaded, said = getattr(transformers, model.row.family.model).from_pretrained(folder, dtype=torch.float32, output_loading_info=True, **model.row.family.loading)
    assert not said["missing_keys"] and not said["unexpected_keys"] and not said["mismatched_keys"]
    return gguf_models.run_pytorch(loaded.eval(), model)


@pytest.mark.parametrize("dtype", ["f32", "f16"])
@pytest.mark.parametrize("name", MODELS)
def test_llama_cpp_gives_pytorchs_outputs(made, files, name, dtype):
    assert relative_error(llama_cpp.outputs(files(name, dtype), made(name)), made(name).expected) <= TOLERANCE[dtype]


@pytest.mark.parametrize("name", NAMES)
def test_terse_runs_the_file(made, files, name, tmp_path):
    assert relative_error(run_terse(files(name, "f32"), made(name), tmp_path), made(name).expected) <= 1e-4


@pytest.mark.parametrize("name", NAMES)
def test_onnxruntime_runs_what_becomes_of_the_file(made, files, name, tmp_path):
    terse("convert", files(name, "f32"), "-o", tmp_path / "model.onnx")
    found = run_onnxruntime(tmp_path / "model.onnx", made(name).feed())
    assert relative_error(found[made(name).row.family.outputs[0]], made(name).expected) <= 1e-4


@pytest.mark.parametrize("name", NAMES)
def test_transformers_loads_the_folder_that_becomes_of_the_file(made, files, name, tmp_path):
    terse("convert", files(name, "f32"), "-o", tmp_path / "back")
    assert relative_error(run_transformers(tmp_path / "back", made(name)), made(name).expected) <= 1e-5


@pytest.mark.parametrize("name", NAMES)
def test_weights_come_back_bit_for_bit(made, files, name, tmp_path):
    terse("convert", files(name, "f16"), "-o", tmp_path / "back")
    before, after = (weights_of(folder) for folder in (made(name).half, tmp_path / "back"))
    assert before.keys() == after.keys()
    for weight, values in before.items():  # llama.cpp wants vectors and small tables in f32, so some are wider; Gemma's norms with one added
        one = 1 if "gemma" in name and "norm" in weight else 0
        assert torch.equal(values.float() + one, after[weight].float() + one), weight
    wider = {weight for weight, values in after.items() if values.dtype != torch.float16}
    assert all(after[weight].dim() == 1 or "position" in weight or "wpe" in weight or "token_type" in weight for weight in wider)


def weights_of(folder):
    """Without what files of models with a head have in front of names."""
    return {name.removeprefix("bert.").removeprefix("distilbert."): values for name, values in load_file(folder / "model.safetensors").items()}


@pytest.mark.parametrize("name", ["llama", "gpt2", "bert"])
def test_the_model_is_cast_on_the_way(made, name, tmp_path):
    model = made(name)
    terse("convert", model.folder, "-o", tmp_path / "cast.gguf", "--dtype", "f16")
    assert relative_error(llama_cpp.outputs(tmp_path / "cast.gguf", model), model.expected) <= TOLERANCE["f16"]


# Texts whose cutting llama.cpp and Hugging Face agree on: the libraries' tables of Unicode are not of one version.
TEXTS = [t for t in zoo.training_text() if t.isascii() and not any(s in t for s in [*zoo.SPECIALS, "[CLS]", "<|end|>"])][:300]
TEXTS += ["", "two  spaces ", "Größe, naïve café", "привет мир 42", "日本語 text", "1234567890", "tabs\tand\nlines\n\n", "don't I'VE we'll"]


@pytest.mark.parametrize("name", TOKENIZED)
def test_llama_cpp_cuts_texts_as_the_folders_tokenizer_does(made, files, name):
    tokenizer = transformers.AutoTokenizer.from_pretrained(made(name).folder)
    for text, found in zip(TEXTS, llama_cpp.tokenize(files(name, "f16"), TEXTS)):
        assert found == tokenizer(text).input_ids, repr(text)


@pytest.mark.parametrize("name", TOKENIZED)
def test_the_tokenizer_comes_back(made, files, name, tmp_path):
    terse("convert", files(name, "f16"), "-o", tmp_path / "back")
    before, after = (transformers.AutoTokenizer.from_pretrained(folder) for folder in (made(name).folder, tmp_path / "back"))
    for text in TEXTS:
        assert after(text).input_ids == before(text).input_ids, repr(text)


@pytest.mark.parametrize("weights", ["linears", "matrices"])
@pytest.mark.parametrize("block_type", BLOCK_TYPES)
def test_blocks_run_in_llama_cpp_as_in_terse(made, files, block_type, weights, tmp_path):
    """In terse to the last bits as llama.cpp does with the numbers that gguf-py makes of the blocks."""
    blocks, model = tmp_path / "blocks.gguf", made("wide")
    terse("compress", files("wide", "f16"), "-o", blocks, "--pass", f"quantize,type={block_type},only={weights}")
    types = {kind for kind, shape, _ in gguf_models.tensors(blocks).values() if len(shape) == 2}
    assert types == ({block_type} if weights == "matrices" else {block_type, "F16"})
    ours = run_terse(blocks, model, tmp_path / "run")
    assert relative_error(llama_cpp.outputs(blocks, model), ours) <= TOLERANCE["blocks"]
    assert relative_error(llama_cpp.outputs(gguf_models.dequantized(blocks, tmp_path / "dense.gguf"), model), ours) <= 1e-4
    assert relative_error(ours, model.expected) <= 6.0 / 2 ** int(block_type.partition("Q")[2][0])


@pytest.mark.parametrize("block_type", BLOCK_TYPES)
def test_blocks_of_experts_run_in_llama_cpp_as_in_terse(made, files, block_type, tmp_path):
    """All experts of a layer are one tensor, of three dimensions; the router stays f32."""
    blocks, model = tmp_path / "blocks.gguf", made("wide-experts")
    terse("compress", files("wide-experts", "f16"), "-o", blocks, "--pass", f"quantize,type={block_type},only=gate+up+down")
    kinds = {name: (kind, shape) for name, (kind, shape, _) in gguf_models.tensors(blocks).items() if "_exps" in name}
    assert len(kinds) == 6 and {kind for kind, _ in kinds.values()} == {block_type} and {shape[-1] for _, shape in kinds.values()} == {4}
    ours = run_terse(blocks, model, tmp_path / "run")
    assert relative_error(llama_cpp.outputs(gguf_models.dequantized(blocks, tmp_path / "dense.gguf"), model), ours) <= 1e-4
    assert relative_error(ours, model.expected) <= 6.0 / 2 ** int(block_type.partition("Q")[2][0])


@pytest.mark.parametrize("block_type", BLOCK_TYPES)
def test_blocks_are_decoded_as_by_gguf_py(files, block_type, tmp_path):
    blocks, dense = tmp_path / "blocks.gguf", tmp_path / "dense.gguf"
    terse("compress", files("wide", "f16"), "-o", blocks, "--pass", f"quantize,type={block_type},only=matrices")
    terse("convert", blocks, "-o", dense, "--dtype", "f32")
    found, expected = gguf_models.tensors(dense), gguf_models.tensors(gguf_models.dequantized(blocks, tmp_path / "expected.gguf"))
    assert found.keys() == expected.keys()
    for name in found:
        assert relative_error(found[name][2], expected[name][2]) <= 1e-6, name


@pytest.mark.parametrize("bits, block_type", [(4, "Q4_0"), (8, "Q8_0")])
def test_grids_that_a_block_type_is_run_in_llama_cpp(made, bits, block_type, tmp_path):
    """Codes with a scale in f16 for every 32 columns."""
    model = made("wide")
    terse("compress", model.folder, "-o", tmp_path / "out.gguf", "--pass", f"quantize,bits={bits},block=32,scale=f16")
    assert block_type in {kind for kind, _, _ in gguf_models.tensors(tmp_path / "out.gguf").values()}
    assert relative_error(llama_cpp.outputs(tmp_path / "out.gguf", model), run_terse(tmp_path / "out.gguf", model, tmp_path / "run")) <= TOLERANCE["blocks"]


# What a converter may say as it likes.
FREE = {"general.name", "general.size_label"}
# What a tokenizer's file does not know: llama.cpp finds how text is cut by hashes, and cuts it for BERT in one way only.
# Gemma's texts begin without a space, to the converter whatever the file says.
FREE_OF = {"bert": {"tokenizer.ggml.pre"}, "distilbert": {"tokenizer.ggml.pre"}, "gemma2": {"tokenizer.ggml.add_space_prefix"},
           "qwen3_moe": {"qwen3moe.rope.dimension_count", "qwen3moe.vocab_size"}}  # which follow from others
# What either may leave unsaid, for llama.cpp knows it; that texts are cut alike is a test of its own.
OPTIONAL = {"add_bos_token", "add_eos_token", "add_sep_token", "add_space_prefix", "remove_extra_whitespaces", "unknown_token_id", "normalizer.strip_accents"}


def differences(found, expected, free):
    for key in sorted((found.keys() | expected.keys()) - free):
        unsaid = key not in found or key not in expected
        if found.get(key) != expected.get(key) and not (unsaid and key.removeprefix("tokenizer.ggml.") in OPTIONAL):
            yield f"{key}: {str(found.get(key))[:200]}, expected {str(expected.get(key))[:200]}"


def take_bare_mark(found, expected):
    """WordPiece's "##▁" is "▁" to the converter, as if it began a word; terse leaves it out."""
    if "▁" in expected["tokenizer.ggml.tokens"][1]:
        i = expected["tokenizer.ggml.tokens"][1].index("▁")
        assert found["tokenizer.ggml.token_type"][1][i] == gguf.TokenType.UNUSED
        for key in ("tokenizer.ggml.tokens", "tokenizer.ggml.token_type"):
            found[key][1][i] = expected[key][1][i]


@pytest.mark.parametrize("name", ["llama-untied", "llama3", "gemma2", "fused", "longrope", "mixtral", "granitemoe", "qwen3_moe", "gpt2", "bert", "distilbert"])
def test_files_are_those_of_llama_cpps_own_converter(made, files, name, tmp_path):
    """Every key of the metadata, and every tensor's type, shape and bytes."""
    # Computed, to the last bit but one; what is added to one, which the converter does in f16.
    compare_with_converter(name, made(name), made(name).half, files(name, "f16"), tmp_path, {"rope_freqs.weight": 1e-6} | ({"norm": 1e-3} if name == "gemma2" else {}))


@pytest.mark.parametrize("name", ["t5", "t5-gated", "t5-encoder"])
def test_files_of_t5_are_those_of_llama_cpps_own_converter(made, name, tmp_path):
    """With a SentencePiece model, which it wants. It loses what the first version multiplies the head's input with."""
    folder = shutil.copytree(made(name).half, tmp_path / "model")
    (folder / "tokenizer.json").unlink()
    zoo.sentencepiece_model(folder / "spiece", model_type="unigram")
    ours = tmp_path / "ours.gguf"
    terse("convert", folder, "-o", ours)
    compare_with_converter(name, made(name), folder, ours, tmp_path, {"dec.output_norm": 1} if name == "t5" else {})


def compare_with_converter(name, model, folder, ours, tmp_path, bounds):
    """`bounds`: part of a tensor's name -> how far from each other the numbers may be; else they have the same bytes."""
    theirs = llama_cpp.convert(folder, tmp_path / "theirs.gguf", "f16", model.row.pre)
    found, expected = gguf_models.metadata(ours), gguf_models.metadata(theirs)
    if "bert" in name:
        take_bare_mark(found, expected)
    assert not list(differences(found, expected, FREE | FREE_OF.get(name, set())))
    found, expected = gguf_models.tensors(ours), gguf_models.tensors(theirs)
    assert {n: t[:2] for n, t in found.items()} == {n: t[:2] for n, t in expected.items()}
    for n, (_, _, values) in found.items():
        bound = max((bound for part, bound in bounds.items() if part in n), default=0)
        assert values.tobytes() == expected[n][2].tobytes() or relative_error(values, expected[n][2]) <= bound, n


def test_the_language_model_in_testdata_speaks_as_before(tmp_path):
    folder, file = ROOT / "testdata/lm", tmp_path / "lm.gguf"
    terse("convert", folder, "-o", file)
    terse("eval", file, "--reference", folder, "--data", folder / "eval.txt", "--report", tmp_path / "report.json")
    found = json.loads((tmp_path / "report.json").read_text())
    assert found["evaluation"]["kl_mean"] < 1e-6


def refusal(*arguments, out):
    done = subprocess.run([str(TERSE), *map(str, arguments), "-o", str(out)], capture_output=True, text=True)
    assert done.returncode in (1, 2) and not pathlib.Path(out).exists()
    assert done.stderr.count("\n") == 1
    return done.stderr


@pytest.mark.parametrize("family, who", [("gptj", "llama.cpp has no family gptj"), ("albert", "llama.cpp has no family albert")])
def test_a_family_without_a_row_is_refused_and_targets_that_hold_it_are_named(family, who, tmp_path):
    said = refusal("convert", families.make(family, "checkpoint", tmp_path), out=tmp_path / "out.gguf")
    assert who in said and "onnx" in said and "safetensors" in said


@pytest.mark.parametrize("changed", [dict(query_pre_attn_scalar=16), dict(attn_logit_softcapping=None), dict(layer_types=["full_attention", "sliding_attention"])])
def test_what_llama_cpp_computes_otherwise_for_gemma_2_is_refused(made, changed, tmp_path):
    folder = shutil.copytree(made("gemma2").half, tmp_path / "model")
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | changed))
    assert next(iter(changed)) in refusal("convert", folder, out=tmp_path / "out.gguf")


@pytest.mark.parametrize("changed", [dict(relative_attention_max_distance=64), dict(feed_forward_proj="gated-silu"), dict(num_layers=1)])
def test_what_llama_cpp_computes_otherwise_for_t5_is_refused(changed, tmp_path):
    folder = families.make("t5-gated", "checkpoint", tmp_path)
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | changed))
    if "num_layers" in changed:
        weights = {name: values for name, values in load_file(folder / "model.safetensors").items() if not name.startswith("encoder.block.1")}
        save_file(weights, folder / "model.safetensors", {"format": "pt"})
    said = refusal("convert", folder, out=tmp_path / "out.gguf")
    assert "the decoder has 2 layers, the encoder 1" in said if "num_layers" in changed else next(iter(changed)) in said


def test_a_tokenizer_that_llama_cpp_cannot_follow_is_refused(made, tmp_path):
    shutil.copytree(made("llama-untied").half, tmp_path / "model")
    (tmp_path / "model/tokenizer.model").unlink()
    gguf_models.write_tokenizer("wordlevel", tmp_path / "model")
    assert "tokenizer" in refusal("convert", tmp_path / "model", out=tmp_path / "out.gguf")


def test_a_graph_is_refused_for_it_has_no_architecture(tmp_path):
    assert "onnx" in refusal("convert", ROOT / "testdata/lm/dynamo.onnx", out=tmp_path / "out.gguf").lower()


def test_an_activation_that_llama_cpp_does_not_compute_is_refused(tmp_path):
    folder = families.make("gpt2", "checkpoint", tmp_path)
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"activation_function": "relu"}))
    assert "relu" in refusal("convert", folder, out=tmp_path / "out.gguf")


@pytest.mark.parametrize("steps", ["cluster,centroids=16", "quantize,bits=4,block=channel,grid=asymmetric"])
def test_an_encoding_that_no_block_type_holds_is_refused(made, steps, tmp_path):
    said = refusal("compress", made("wide").folder, "--pass", steps, out=tmp_path / "out.gguf")
    assert "Q4_0" in said or "q4_0" in said

"""Folders for onnxruntime-genai: it writes what transformers writes, of every family of decoders, and with weights in 4 bits."""

import json

import families
import numpy as np
import pytest
import torch
import transformers
from runtimes import ROOT, compress, terse

genai = pytest.importorskip("onnxruntime_genai")

DECODERS = [name for name, row in families.FAMILIES.items() if row.model.endswith("ForCausalLM") or row.model == "GPT2LMHeadModel"]
WITHOUT_CODES = ["gpt2", "granitemoe"]  # in folders: see family_table
LM = ROOT / "testdata/lm"
TOKENS = 20
PROMPT = [1, 17, 42, 100]


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """Gives a family's folder, made at its first use; a tied head writes more than its last input."""
    root, made = tmp_path_factory.mktemp("genai"), {}

    def folder(name):
        if name not in made:
            model = families.build(name)
            with torch.no_grad():
                model.get_input_embeddings().weight.mul_(0.05 if model.config.tie_word_embeddings else 1)
            made[name] = root / name
            model.save_pretrained(made[name])
        return made[name]

    return folder


def generate(folder, rows, tokens=TOKENS):
    """What genai makes of rows of ids, right-padded as its own tokenizer does it."""
    model = genai.Model(str(folder))
    parameters = genai.GeneratorParams(model)
    longest = max(map(len, rows))
    parameters.set_search_options(max_length=longest + tokens, batch_size=len(rows), do_sample=False)
    generator = genai.Generator(model, parameters)
    pad = json.loads((folder / "genai_config.json").read_text())["model"]["pad_token_id"]
    generator.append_tokens(np.array([row + [pad] * (longest - len(row)) for row in rows], np.int32))
    while not generator.is_done():
        generator.generate_next_token()
    return [[int(token) for token in generator.get_sequence(i)] for i in range(len(rows))]


def generate_by_transformers(folder, prompt):
    model = transformers.AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    ids = torch.tensor([prompt])
    return model.generate(ids, attention_mask=torch.ones_like(ids), max_length=len(prompt) + TOKENS, do_sample=False)[0].tolist()


def check_tokens(found, expected):
    shortest = min(len(found), len(expected))  # one of the two leaves out the token that ends a text
    assert abs(len(found) - len(expected)) <= 1 and shortest > len(PROMPT) + 3
    assert found[:shortest] == expected[:shortest]


@pytest.mark.parametrize("folder", [*DECODERS, LM], ids=[*DECODERS, "testdata"])
def test_genai_writes_what_transformers_writes(folders, folder, tmp_path):
    folder = folders(folder) if isinstance(folder, str) else folder
    terse("convert", folder, "-o", tmp_path / "made" / "model.onnx", "--kv-cache")
    expected = generate_by_transformers(folder, PROMPT)
    assert len(set(expected)) > len(PROMPT) + 1
    check_tokens(generate(tmp_path / "made", [PROMPT])[0], expected)


@pytest.mark.parametrize("folder", [*(name for name in DECODERS if name not in WITHOUT_CODES), LM], ids=lambda x: x if isinstance(x, str) else "testdata")
def test_genai_writes_what_transformers_writes_in_4_bits(folders, folder, tmp_path):
    same = f"quantize,bits=4,block=32,scale={'f16' if folder == LM else 'f32'}"  # numbers in ONNX files and in folders: scales of the model's own type
    folder = folders(folder) if isinstance(folder, str) else folder
    terse("compress", folder, "-o", tmp_path / "made" / "model.onnx", "--kv-cache", "--pass", same)
    terse("compress", folder, "-o", tmp_path / "folder", "--pass", same)
    check_tokens(generate(tmp_path / "made", [PROMPT])[0], generate_by_transformers(tmp_path / "folder", PROMPT))


def test_texts_of_several_lengths_are_written_together(tmp_path):
    made = tmp_path / "made"
    compress(LM, made / "model.onnx", "int4", "--kv-cache")
    tokenizer = genai.Tokenizer(genai.Model(str(made)))
    rows = [[1, *tokenizer.encode(text).tolist()] for text in ("The fisher of Tessin", "Once", "There was a rock in")]
    for row, text in zip(rows, generate(made, rows)):
        alone = generate(made, [row])[0]
        assert [t for t in text if t != 0] == [t for t in alone if t != 0]  # padding


def test_a_compressed_decoder_with_a_cache_is_measured_and_generates(tmp_path):
    made, report = tmp_path / "made", tmp_path / "report.json"
    compress(LM, made / "model.onnx", "int4", "--kv-cache", "--eval-data", LM / "eval.npz", "--report", report)
    assert json.loads(report.read_text())["smoke"]["run"]
    for name in ("genai_config.json", "tokenizer.json", "tokenizer_config.json"):
        assert (made / name).exists()
    assert len(generate(made, [[1, 17, 42]])[0]) > 3


@pytest.mark.parametrize("text", ["The capital of France is", "Once upon a time, there was  a   fox.\n\tIt's 42!", "Größe, naïve café привет 日本"])
def test_genai_cuts_texts_as_transformers_does(text, tmp_path):
    terse("convert", LM, "-o", tmp_path / "made" / "model.onnx", "--kv-cache")
    tokenizer = genai.Tokenizer(genai.Model(str(tmp_path / "made")))
    ids = transformers.AutoTokenizer.from_pretrained(LM)(text, add_special_tokens=False).input_ids  # genai reads no template of tokenizer.json
    assert tokenizer.encode(text).tolist() == ids and tokenizer.decode(np.array(ids, np.int32)) == text

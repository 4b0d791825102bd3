"""Tokenizers in GGUF files: ids are Hugging Face's and llama.cpp's, out of the file and out of the folder made of it."""

import json
import os
import pathlib
import subprocess
import unicodedata

import gguf
import llama_cpp
import pytest
import sentencepiece
import tokenizer_zoo as zoo
from runtimes import ROOT, TERSE, terse
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors
from transformers import AutoTokenizer
from transformers.convert_slow_tokenizer import import_protobuf

COPY = pathlib.Path(os.environ.get("TOKENIZER_COPY", TERSE.parent / "tests/tokenizer_copy"))
TEXTS = [line.decode(errors="replace") for line in zoo.texts()]


def copy(*arguments):
    done = subprocess.run([str(COPY), *map(str, arguments)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def make(tokenizer, folder, **config):
    """A folder with the tokenizer, and its GGUF file."""
    tokenizer.no_padding()
    tokenizer.no_truncation()
    tokenizer.save(str(folder / "tokenizer.json"))
    (folder / "tokenizer_config.json").write_text(json.dumps(config))
    copy(folder, folder / "m.gguf", tokenizer.get_vocab_size() + 3)
    return folder / "m.gguf"


def ours(model, folder, *options):
    path = folder / "texts.txt"
    path.write_text("".join(text + "\n" for text in TEXTS), newline="\n")
    return [json.loads(line) for line in terse("tokenize", model, path, "--json", *options).splitlines()]


def compare(found, expected, condition=lambda text: True, least=1000):
    assert len(found) == len(expected) == len(TEXTS)
    compared = [row for row in zip(TEXTS, found, expected) if condition(row[0])]
    assert len(compared) > least
    assert [text[:200] for text, one, other in compared if one != other] == []


def check(model, expected, folder, condition=lambda text: True):
    """The file and the folder made of it, with transformers, give the expected ids."""
    compare(ours(model, folder), expected, condition)
    again = folder / "again"
    again.mkdir()
    copy(model, again)
    tokenizer = AutoTokenizer.from_pretrained(again)
    compare([tokenizer(text).input_ids for text in TEXTS], expected, condition)


def judge(model, expected, condition=lambda text: True, least=1000, special=True):
    """llama.cpp gives them too; its patterns run out of stack on very long words, and it composes no characters."""
    found = llama_cpp.tokenize(model, [text if len(text) < 3000 else "" for text in TEXTS], special, control=True)
    compare(found, expected, lambda text: len(text) < 3000 and unicodedata.is_normalized("NFC", text) and condition(text), least)


def encode(tokenizer):
    return [encoding.ids for encoding in tokenizer.encode_batch(TEXTS)]


def is_plain(text):
    return text.isascii() and text.isprintable()


def has_no_marks(text):
    """llama.cpp's pattern of GPT-4o's tokenizer stands for letters with marks only nearly."""
    return not any(unicodedata.category(c).startswith("M") for c in text)


def is_assigned(text):
    """Of what is a letter, llama.cpp knows a later version of Unicode than the others."""
    return not any(unicodedata.category(c) == "Cn" for c in text)


BYTE_LEVEL = {"gpt2": is_assigned, "smollm": is_assigned, "llama3": is_assigned, "qwen2": is_assigned, "o200k": has_no_marks, "deepseek": is_assigned}


@pytest.mark.parametrize("name", BYTE_LEVEL)
def test_byte_level(name, tmp_path):
    tokenizer = zoo.ZOO[name]()
    model = make(tokenizer, tmp_path)
    check(model, encode(tokenizer), tmp_path)
    judge(model, encode(tokenizer), BYTE_LEVEL[name], least=600)


def write_file(tokenizer, pre, path):
    """A GGUF file of the tokenizer's vocabulary, with another name for the way in which texts are cut."""
    model = json.loads(tokenizer.to_str())["model"]
    tokens = sorted(model["vocab"], key=model["vocab"].get)
    writer = gguf.GGUFWriter(path, "llama")
    for key in ("block_count", "context_length", "embedding_length", "feed_forward_length", "attention.head_count"):
        writer.add_uint32(f"llama.{key}", 64)
    writer.add_float32("llama.attention.layer_norm_rms_epsilon", 1e-5)
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre(pre)
    writer.add_token_list(tokens)
    writer.add_token_types([gguf.TokenType.CONTROL if token in zoo.SPECIALS else gguf.TokenType.NORMAL for token in tokens])
    writer.add_token_merges([" ".join(merge) for merge in model["merges"]])
    writer.add_bos_token_id(1)
    writer.add_add_bos_token(False)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.close()


# For letters of either case llama.cpp's patterns know ASCII only.
PRE_TOKENIZERS = dict.fromkeys(["gpt-2", "olmo", "smollm", "llama-bpe", "dbrx", "glm4", "qwen2", "stablelm2", "qwen35", "deepseek-v3", "spark2_5", "bloom"], is_assigned)
PRE_TOKENIZERS |= dict.fromkeys(["viking", "bailingmoe", "seed-coder", "jais-2", "exaone-moe", "minicpm5", "laguna", "ufakzeka", "superbpe", "chameleon"], is_assigned)
PRE_TOKENIZERS |= dict.fromkeys(["tekken", "gpt-4o", "kimi-k2", "youtu", "default", "deepseek-llm", "deepseek-coder"], is_plain)


@pytest.fixture(scope="module")
def large():
    return zoo.byte_level(zoo.GPT2, 3000)


@pytest.mark.parametrize("name", PRE_TOKENIZERS)
def test_pre_tokenizer(name, large, tmp_path):
    write_file(large, name, tmp_path / "m.gguf")
    judge(tmp_path / "m.gguf", ours(tmp_path / "m.gguf", tmp_path), PRE_TOKENIZERS[name], least=100)


def test_prefix_space(tmp_path):
    """llama.cpp puts no space in front of a text of a byte-level BPE; the file says that there is one."""
    tokenizer = zoo.roberta()
    tokenizer.add_special_tokens([AddedToken("<mask>", lstrip=False)])
    check(make(tokenizer, tmp_path), encode(tokenizer), tmp_path)


def test_merges_without_scores(tmp_path):
    """A BPE of characters whose merges were learnt one by one: llama.cpp has a form for it if no space is put in front."""
    tokenizer = zoo.ZOO["gemma"]()
    model = make(tokenizer, tmp_path)
    check(model, encode(tokenizer), tmp_path)
    judge(model, encode(tokenizer))


def test_merges_beside_scores(tmp_path):
    tokenizer = zoo.ZOO["llama2"]()
    check(make(tokenizer, tmp_path), encode(tokenizer), tmp_path)


def merges_of(pieces):
    """All ways to make a piece of two others, as transformers finds them."""
    ids = {piece.piece: i for i, piece in enumerate(pieces)}
    merges = []
    for i, piece in enumerate(pieces):
        ways = [(piece.piece[:k], piece.piece[k:]) for k in range(1, len(piece.piece))] if piece.type == 1 else []
        merges += sorted((-piece.score, i, ids[left], ids[right], (left, right)) for left, right in ways if left in ids and right in ids)
    return ids, [merge[-1] for merge in sorted(merges)]


def like_llama(path, prefix):
    model = import_protobuf().ModelProto()
    model.ParseFromString(pathlib.Path(path).read_bytes())
    ids, merges = merges_of(model.pieces)
    tokenizer = Tokenizer(models.BPE(ids, merges, unk_token="<unk>", byte_fallback=True, fuse_unk=True))
    tokenizer.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")] if prefix else [normalizers.Replace(" ", "▁")])
    tokenizer.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)])
    tokenizer.add_tokens([AddedToken(token, normalized=False, special=True) for token in ("<unk>", "<s>", "</s>")])
    tokenizer.post_processor = processors.TemplateProcessing(single="<s> $A", pair="<s> $A <s> $B", special_tokens=[("<s>", 1)])
    return tokenizer


@pytest.fixture(scope="module")
def llama_model(tmp_path_factory):
    return zoo.sentencepiece_model(tmp_path_factory.mktemp("llama") / "tokenizer", **zoo.SENTENCEPIECE["llama"])


@pytest.mark.parametrize("prefix", [True, False])
def test_llama_json(prefix, llama_model, tmp_path):
    tokenizer = like_llama(llama_model, prefix)
    model = make(tokenizer, tmp_path)
    check(model, encode(tokenizer), tmp_path)
    judge(model, encode(tokenizer))


PHI3 = {"<|endoftext|>": False} | dict.fromkeys(["<|assistant|>", "<|system|>", "<|end|>", "<|user|>"], True)  # whether white space behind them goes with them
CONVERSATIONS = ["<|user|>\nHow are you?<|end|>\n<|assistant|>\n", "<s>  a </s>  b<|endoftext|> \n c", "<|system|> \t x <|end|> <|user|>y", " <unk> <|end|>"]


def like_phi3(llama_model):
    tokenizer = like_llama(llama_model, True)
    tokenizer.add_tokens([AddedToken("</s>", normalized=False, special=True, rstrip=True)])
    tokenizer.add_tokens([AddedToken(token, normalized=False, special=True, rstrip=strips) for token, strips in PHI3.items()])
    return tokenizer


def make_called(name, tokenizer, folder):
    """A file of a folder of that name, and what is said to be lost."""
    (folder / name).mkdir()
    tokenizer.save(str(folder / name / "tokenizer.json"))
    return folder / "m.gguf", copy(folder / name, folder / "m.gguf", tokenizer.get_vocab_size())


def test_white_space_behind_tokens_of_phi_3(llama_model, tmp_path):
    """llama.cpp knows them by the model's name."""
    tokenizer = like_phi3(llama_model)
    model, said = make_called("My-Phi-3-mini", tokenizer, tmp_path)
    expected = [encoding.ids for encoding in tokenizer.encode_batch(CONVERSATIONS)]
    assert said == "" and llama_cpp.tokenize(model, CONVERSATIONS, control=True) == expected
    (tmp_path / "again").mkdir()
    copy(model, tmp_path / "again")
    for again in (model, tmp_path / "again"):
        (tmp_path / "c.jsonl").write_text("".join(json.dumps({"text": text}) + "\n" for text in CONVERSATIONS))
        assert [json.loads(line) for line in terse("tokenize", again, tmp_path / "c.jsonl", "--json").splitlines()] == expected


def test_white_space_beside_tokens_of_others_is_said_to_be_lost(llama_model, tmp_path):
    tokenizer = like_phi3(llama_model)
    model, said = make_called("mini", tokenizer, tmp_path)
    assert said.startswith("5 tokens such as '</s>': GGUF cannot say which white space goes with them") and "phi-3 in their name" in said
    expected = [encoding.ids for encoding in tokenizer.encode_batch(CONVERSATIONS)]
    assert llama_cpp.tokenize(model, CONVERSATIONS, control=True) != expected


def test_a_model_called_phi_3_without_its_tokens_loads(llama_model, tmp_path):
    """llama.cpp would look for them, and stop where they lack."""
    tokenizer = like_llama(llama_model, True)
    model, said = make_called("llama-phi3-PHI-3", tokenizer, tmp_path)
    assert said == "" and gguf.GGUFReader(model).get_field("general.name").contents() == "llama-phi_3-PHI_3"
    assert llama_cpp.tokenize(model, ["hello </s> you"], control=True) == [tokenizer.encode("hello </s> you").ids]


def test_llama_model(llama_model, tmp_path):
    (tmp_path / "tokenizer.model").write_bytes(pathlib.Path(llama_model).read_bytes())
    processor = sentencepiece.SentencePieceProcessor(model_file=llama_model)
    model = tmp_path / "m.gguf"
    copy(tmp_path, model, processor.vocab_size())

    def has_no_specials(text):  # which SentencePiece does not look for in a text
        return not any(token in text for token in ("<unk>", "<s>", "</s>"))

    expected = processor.encode(TEXTS)
    compare(ours(model, tmp_path, "--no-special"), expected, has_no_specials)
    judge(model, expected, has_no_specials, special=False)


def test_wordpiece(tmp_path):
    tokenizer = zoo.ZOO["bert"]()
    model = make(tokenizer, tmp_path, unk_token="[UNK]", cls_token="[CLS]", sep_token="[SEP]", pad_token="[PAD]", mask_token="[MASK]")
    check(model, encode(tokenizer), tmp_path, lambda text: "▁" not in text)  # which marks the beginning of a word in the file
    judge(model, encode(tokenizer), is_plain, least=100)  # llama.cpp knows other classes of characters


def like_t5(folder):
    """A SentencePiece model as transformers turns it into a tokenizer.json, charsmap and all."""
    model = import_protobuf().ModelProto()
    model.ParseFromString(pathlib.Path(zoo.sentencepiece_model(folder / "spiece", model_type="unigram", normalization_rule_name="nmt_nfkc")).read_bytes())
    tokenizer = Tokenizer(models.Unigram([(p.piece, p.score) for p in model.pieces], model.trainer_spec.unk_id, False))
    tokenizer.normalizer = normalizers.Sequence(
        [normalizers.Precompiled(model.normalizer_spec.precompiled_charsmap), normalizers.Strip(left=False, right=True), normalizers.Replace(Regex(" {2,}"), "▁")]
    )
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="always")
    tokenizer.decoder = decoders.Metaspace(prepend_scheme="always")
    tokenizer.add_tokens([AddedToken(token, normalized=False, special=True) for token in ("<unk>", "<s>", "</s>")])
    tokenizer.post_processor = processors.TemplateProcessing(single="$A </s>", pair="$A </s> $B </s>", special_tokens=[("</s>", 2)])
    (folder / "spiece.model").unlink()
    return tokenizer


def test_unigram(tmp_path):
    tokenizer = like_t5(tmp_path)
    model = make(tokenizer, tmp_path, unk_token="<unk>", eos_token="</s>")
    check(model, encode(tokenizer), tmp_path)
    judge(model, encode(tokenizer), is_plain, least=100)  # Hugging Face's library maps whole clusters of characters


REFUSED = {
    "cl100k": "llama.cpp has no name",
    "added-tokens": "changes texts before",
    "bert-cased": "of another kind than BERT's",
    "metaspace-first": "no tokens for bytes",
    "albert": "normalizer is none of SentencePiece's",
    "end-of-word": "marks parts of words with '</w>'",
    "wordlevel": "of whole words",
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused(name, tmp_path):
    with pytest.raises(AssertionError, match=REFUSED[name]):
        make(zoo.ZOO[name](), tmp_path)


def test_chat_template(tmp_path):
    for name in ("tokenizer.json", "tokenizer_config.json"):
        (tmp_path / name).write_bytes((ROOT / "testdata/lm" / name).read_bytes())
    (tmp_path / "chat_template.jinja").write_text("{{ bos_token }}{% for m in messages %}{{ m.role }}: {{ m.content }}\n{% endfor %}{{ eos_token }}")
    conversation = [{"role": "user", "content": "Hello"}, {"role": "assistant", "content": "there"}]
    tokenizer = AutoTokenizer.from_pretrained(tmp_path)
    expected = tokenizer.apply_chat_template(conversation, tokenize=True, return_dict=False)
    alone, again = tmp_path / "alone", tmp_path / "again"
    alone.mkdir(), again.mkdir()
    copy(tmp_path, alone / "m.gguf", len(tokenizer))
    copy(alone / "m.gguf", again)
    (tmp_path / "c.jsonl").write_text(json.dumps({"messages": conversation}) + "\n")
    assert json.loads(terse("tokenize", alone / "m.gguf", tmp_path / "c.jsonl", "--json")) == expected
    assert AutoTokenizer.from_pretrained(again).apply_chat_template(conversation, tokenize=True, return_dict=False) == expected

"""Ids from `terse tokenize` are those of Hugging Face's tokenizers and of SentencePiece, on texts of every kind."""

import json

import pytest
import sentencepiece
import tokenizer_zoo as zoo
from runtimes import ROOT, terse
from tokenizers import Tokenizer

TEXTS = zoo.texts()


@pytest.fixture(scope="module")
def texts(tmp_path_factory):
    path = tmp_path_factory.mktemp("texts") / "texts.txt"
    path.write_bytes(b"".join(line + b"\n" for line in TEXTS))
    return path


def ours(model, texts, *options):
    return [json.loads(line) for line in terse("tokenize", model, texts, "--json", *options).splitlines()]


def compare(found, expected):
    assert len(found) == len(expected)
    for text, one, other in zip(TEXTS, found, expected):
        assert one == other, f"{text[:200]!r}"


def compare_with(tokenizer, path, texts):
    """The library truncates and pads as the file says; terse leaves that to whoever asks."""
    tokenizer.no_padding()
    tokenizer.no_truncation()
    decoded = [line.decode(errors="replace") for line in TEXTS]
    for special in (True, False):
        expected = [e.ids for e in tokenizer.encode_batch(decoded, add_special_tokens=special)]
        compare(ours(path, texts, *([] if special else ["--no-special"])), expected)


@pytest.mark.parametrize("name", zoo.ZOO)
def test_trained(name, texts, tmp_path):
    tokenizer = zoo.ZOO[name]()
    tokenizer.save(str(tmp_path / "tokenizer.json"))
    compare_with(tokenizer, tmp_path, texts)


@pytest.mark.parametrize("folder", ["lm", "classifier"])
def test_committed(folder, texts):
    path = ROOT / "testdata" / folder
    compare_with(Tokenizer.from_file(str(path / "tokenizer.json")), path, texts)


@pytest.mark.parametrize("name", zoo.SENTENCEPIECE)
def test_sentencepiece(name, texts, tmp_path):
    path = zoo.sentencepiece_model(tmp_path / "tokenizer", **zoo.SENTENCEPIECE[name])
    processor = sentencepiece.SentencePieceProcessor(model_file=path)
    compare(ours(path, texts), processor.encode([line.decode(errors="replace") for line in TEXTS]))


def converted(kind, folder):
    """A SentencePiece model as transformers turns it into a tokenizer.json, charsmap and all."""
    from transformers.convert_slow_tokenizer import import_protobuf

    path = zoo.sentencepiece_model(folder / "spiece", model_type="unigram", **kind)
    model = import_protobuf().ModelProto()
    with open(path, "rb") as file:
        model.ParseFromString(file.read())
    from tokenizers import Regex, models, normalizers, pre_tokenizers

    tokenizer = Tokenizer(models.Unigram([(p.piece, p.score) for p in model.pieces], model.trainer_spec.unk_id, False))
    tokenizer.normalizer = normalizers.Sequence(
        [normalizers.Precompiled(model.normalizer_spec.precompiled_charsmap), normalizers.Strip(left=False, right=True), normalizers.Replace(Regex(" {2,}"), "▁")]
    )
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="always")
    return tokenizer


@pytest.mark.parametrize("rule", ["nmt_nfkc", "nfkc", "nmt_nfkc_cf"])
def test_charsmap(rule, texts, tmp_path):
    tokenizer = converted(dict(normalization_rule_name=rule), tmp_path)
    tokenizer.save(str(tmp_path / "tokenizer.json"))
    compare_with(tokenizer, tmp_path / "tokenizer.json", texts)


def test_vocab_txt(texts, tmp_path):
    tokenizer = Tokenizer.from_file(str(ROOT / "testdata/classifier/tokenizer.json"))
    (tmp_path / "vocab.txt").write_bytes((ROOT / "testdata/classifier/vocab.txt").read_bytes())
    compare_with(tokenizer, tmp_path, texts)


@pytest.mark.parametrize("kind", ["gpt2", "gpt2-bos", "roberta"])
def test_vocab_json(kind, texts, tmp_path):
    """A folder with vocab.json and merges.txt, as old checkpoints have it."""
    from transformers import GPT2Tokenizer, RobertaTokenizer

    specials = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"] if kind == "roberta" else ["<|endoftext|>"]
    trained = zoo.byte_level(zoo.GPT2)
    model = json.loads(trained.to_str())["model"]
    vocab = model["vocab"]
    for token in specials:
        vocab.setdefault(token, len(vocab))
    (tmp_path / "vocab.json").write_text(json.dumps(vocab))
    merges = [" ".join(m) if isinstance(m, list) else m for m in model["merges"]]
    (tmp_path / "merges.txt").write_text("#version: 0.2\n" + "\n".join(merges) + "\n", newline="\n")
    config = {"tokenizer_class": "RobertaTokenizer" if kind == "roberta" else "GPT2Tokenizer", "add_prefix_space": kind == "roberta"}
    if kind == "gpt2-bos":
        config["add_bos_token"] = True
    (tmp_path / "tokenizer_config.json").write_text(json.dumps(config))
    theirs = (RobertaTokenizer if kind == "roberta" else GPT2Tokenizer).from_pretrained(tmp_path)
    expected = [theirs(line.decode(errors="replace")).input_ids for line in TEXTS]
    compare(ours(tmp_path, texts), expected)

"""Writes the small tokenizers of this folder and what Hugging Face's library and SentencePiece make of texts: the checks of
tests/calibration/tokenizers. Needs tokenizers 0.23 and sentencepiece 0.2:  python make.py

Texts are seeded; training is not the same on every run, so a tokenizer and what is expected of it are written together.
"""

import json
import pathlib
import sys

import sentencepiece
from tokenizers import Tokenizer

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[1] / "tests/interop"))
import tokenizer_zoo as zoo  # noqa: E402

TEXTS = [
    "",
    " ",
    "Hello world",
    "  leading and   inner and trailing  ",
    "It's I'VE don't 'll 'ſ 12345 3.14 x_1 <s> </s><pad>",
    "line\nfeeds\n\n\r\n and\ttabs \u00a0\u2003 \u3000 \u180e",
    "na\u00efve caf\u00e9 e\u0301a\u0323\u0307 \u0130stanbul \u03a3\u03af\u03c3\u03c5\u03c6\u03bf\u03c2 \ufb01\u216b\u00bd",
    "\u4e2d\u6587\u5b57\u7b26 \u65e5\u672c\u8a9e\u30c6\u30ad\u30b9\u30c8 \ud55c\uad6d\uc5b4",
    "\u0627\u0644\u0639\u0631\u0628\u064a\u0629 \u0939\u093f\u0928\u094d\u0926\u0940 \u05e2\u05d1\u05e8\u05d9\u05ea",
    "\U0001f600\U0001f468\u200d\U0001f469\u200d\U0001f467 \U0001f1e9\U0001f1ea \u2764\ufe0f 1\ufe0f\u20e3",
    "nul\0 \u0001\u200b\ufeff\ufffd \u2581\u0120",
    "<extra>  EXTRA word wordword  <mask> [MASK]",
    "x" * 60 + " " + "the " * 20,
]

SMALL = {
    "byte_level": lambda: zoo.byte_level(zoo.split_then_bytes(zoo.LLAMA3), 420),
    "roberta": lambda: zoo.roberta(420),
    "added": lambda: zoo.added_tokens(300),
    "bert": lambda: zoo.wordpiece(300, alphabet=120),
    "byte_fallback": lambda: zoo.byte_fallback(zoo.N.Sequence([zoo.N.Prepend("▁"), zoo.N.Replace(" ", "▁")]), None, 420, alphabet=60),
    "unigram": lambda: zoo.unigram(zoo.N.Sequence([zoo.N.Nmt(), zoo.N.NFKC(), zoo.N.Strip()]), "first", vocabulary=300, alphabet="latin"),
    "metaspace": lambda: zoo.metaspace("first", normalizer=zoo.N.Strip(), vocabulary=200, alphabet=60),
    "wordlevel": lambda: zoo.wordlevel(100),
}


def write(name, encode, decode=None):
    rows = []
    for text in TEXTS:
        row = {"text": text, "ids": encode(text, True), "inner": encode(text, False)}
        if decode:
            row["decoded"] = decode(row["ids"])
        rows.append(row)
    (HERE / f"{name}.expected.json").write_text("[" + ",\n".join(map(json.dumps, rows)) + "]\n")


def main():
    for name, make in SMALL.items():
        tokenizer = make()
        (HERE / f"{name}.json").write_text(tokenizer.to_str(pretty=False) + "\n")
        write(name, lambda text, special: tokenizer.encode(text, add_special_tokens=special).ids, lambda ids: tokenizer.decode(ids, skip_special_tokens=False))
    for name in ("llama", "unigram-bytes"):
        options = {**zoo.SENTENCEPIECE[name], "normalization_rule_name": "identity"}  # a charsmap has 240 kB
        zoo.sentencepiece_model(HERE / name, vocabulary=450, alphabet="latin", **options)
        processor = sentencepiece.SentencePieceProcessor(model_file=str(HERE / f"{name}.model"))
        write(name, lambda text, special: processor.encode(text), processor.decode)


if __name__ == "__main__":
    main()

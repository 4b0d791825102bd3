"""Tokenizers of every kind that terse reads, trained on generated text, and texts that try them."""

import io
import pathlib
import random
import unicodedata

import sentencepiece
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

SPECIALS = ["<unk>", "<s>", "</s>", "<pad>"]

GPT2 = pre_tokenizers.ByteLevel(add_prefix_space=False)
LLAMA3 = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
QWEN2 = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
O200K = (
    r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?"
    r"|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?"
    r"|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
CL100K = r"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}++|\p{N}{1,3}+| ?[^\s\p{L}\p{N}]++[\r\n]*+|\s++$|\s*[\r\n]|\s+(?!\S)|\s"
DEEPSEEK = [
    r"\p{N}{1,3}",
    r"[一-龥぀-ゟ゠-ヿ]+",
    r"[!\"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+| ?[\p{P}\p{S}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+",
]
KIMI = (
    r"[\p{Han}]+|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}&&[^\p{Han}]]*[\p{Ll}\p{Lm}\p{Lo}\p{M}&&[^\p{Han}]]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?"
    r"|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)

ALPHABETS = [
    "abcdefghijklmnopqrstuvwxyz",
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefgh",
    "0123456789",
    ".,;:!?'\"()[]{}<>-_=+*&^%$#@~`|\\/",
    "àáâãäåæçèéêëìíîïñòóôõöøùúûüýÿßœŒŠšŽžĀāİıŁłǅǈﬁﬂﬀſK",
    "αβγδεζηθικλμνξοπρστυφχψωΆΈΉΊΌΎΏΑΒΓΣς",
    "абвгдежзийклмнопрстуфхцчшщъыьэюяЁЂЃЄ",
    "אבגדהוזחטיכלמנסעפצקרשת\u05b0\u05b1\u05bc\u05c1",
    "ابتثجحخدذرزسشصضطظعغفقكلمنهوي\u064b\u064c\u064d\u0651٠١٢٣٤٥٦٧٨٩",
    "अआइईउऊएऐओऔकखगघचछजझटठडढतथदधनपफबभमयरलवशषसह\u093e\u093f\u0940\u0941\u094d\u0902०१२३",
    "กขคงจฉชซญฐณดตถทธนบปผฝพฟภมยรลวศษสหอฮ\u0e31\u0e34\u0e35\u0e48\u0e49ๆ",
    "一二三四五六七八九十日月火水木金土人大小中国語漢字學\U00020000\U0002a6d6\U0002b81d\uf900\u3400\u9fff",
    "ぁあぃいぅうかがきぎくぐけげこごさざしじすずせぜそぞアイウエオカガキギクグﾊﾟｶﾞー",
    "가각간갇갈한국어글\u1100\u1161\u11a8",
    "\u0300\u0301\u0302\u0303\u0308\u0323\u0327\u0328\u0334\u0338\u0345\u20d0\ufe20",
    " \t\r\u000b\u000c\u0085\u00a0\u1680\u2000\u2003\u2009\u200a\u200b\u200c\u200d\u2028\u2029\u202f\u205f\u2060\u3000\ufeff\u180e",
    "\u0000\u0001\u0007\u001b\u007f\u0080\u009f\u00ad\u061c\u200e\u200f\u202a\u2066\ufffd\ufff9",
    "😀😁😂🤣👍🏻👍🏽❤\ufe0f☺✈🇩🇪🇫🇷👨\u200d👩\u200d👧\u200d👦🏳\ufe0f\u200d🌈1\ufe0f\u20e3🫠🪿",
    "½¼²³¹①②Ⅷⅷ㈠㊀㍿㎏™℠ℌ𝔄𝕬𝟘𝟙ﷺ％＆Ａａ１",
    "▁Ġ## \u2581\u2581",
]
PIECES = ["'s", "'S", "'ſ", "'ll", "'LL", "'re", "don't", "I'VE", "  ", "   ", "<s>", "</s>", "<unk>", "[CLS]", "<0x41>", "``", "''", "e\u0301", "q\u0323\u0307", "12345678", "1,234.56", "http://x.y/z?a=b", "ＡＢＣ", "<extra>", "EXTRA", "<|end|>", "wordword"]


def any_character(random_):
    """Of any assigned kind, private use and unassigned ones too."""
    while True:
        point = random_.choice([random_.randrange(0x80, 0x3000), random_.randrange(0x110000), random_.randrange(0x10000, 0x20000)])
        if not 0xD800 <= point < 0xE000:
            return chr(point)


def word(random_):
    kind = random_.random()
    if kind < 0.08:
        return random_.choice(PIECES)
    if kind < 0.16:
        return "".join(any_character(random_) for _ in range(random_.randrange(1, 6)))
    alphabet = random_.choice(ALPHABETS if kind < 0.7 else ALPHABETS[:3])
    return "".join(random_.choice(alphabet) for _ in range(random_.randrange(1, 9)))


def texts(count=2000, seed=7):
    """Lines without line feeds, as bytes: words of every script, some with bad bytes, a few very long."""
    random_ = random.Random(seed)
    lines = [b"", b" ", b"   ", b"a", b"\xff", b"\xe2\x82", b"\xf0\x9f\x98", b"\xed\xa0\x80", b"\xc0\xaf", b"\xf4\x90\x80\x80"]
    categories = {}
    for point in range(0x110000):
        if not 0xD800 <= point < 0xE000 and point != 10:
            categories.setdefault(unicodedata.category(chr(point)), []).append(chr(point))
    for members in categories.values():
        for _ in range(6):
            lines.append("a".join(random_.sample(members, min(len(members), 12))).encode())
    while len(lines) < count - 3:
        line = random_.choice([" ", " ", "", "  "]).join(word(random_) for _ in range(random_.randrange(1, 12))).encode()
        if random_.random() < 0.05:
            at = random_.randrange(len(line) + 1)
            line = line[:at] + bytes(random_.randrange(0x80, 0x100) for _ in range(random_.randrange(1, 4))) + line[at:]
        lines.append(line)
    lines += [b"x" * 100_000, ("long " * 20_000).encode(), "".join(word(random_) for _ in range(20_000)).encode()]
    return [line.replace(b"\n", b"") for line in lines]


def training_text(seed=3):
    """Sentences of a few thousand made-up words, mostly Latin, and of every script."""
    random_ = random.Random(seed)
    common = ["".join(random_.choice("etaoinshrdlucmfwypvbgk") for _ in range(random_.randrange(1, 8))) for _ in range(800)]
    for _ in range(3000):
        words = [random_.choice(common) if random_.random() < 0.8 else word(random_) for _ in range(random_.randrange(3, 15))]
        yield " ".join(words).replace("\n", " ").replace("\0", "")


def byte_level(split, vocabulary=1500, **options):
    tokenizer = Tokenizer(models.BPE(**options))
    tokenizer.pre_tokenizer = split
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(vocab_size=vocabulary, special_tokens=SPECIALS, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False)
    tokenizer.train_from_iterator(training_text(), trainer)
    return tokenizer


def split_then_bytes(*patterns, behavior="isolated"):
    splits = [pre_tokenizers.Split(Regex(p), behavior) for p in patterns]
    return pre_tokenizers.Sequence([*splits, pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])


def llama3():
    tokenizer = byte_level(split_then_bytes(LLAMA3), ignore_merges=True)
    tokenizer.post_processor = processors.Sequence(
        [processors.ByteLevel(trim_offsets=False), processors.TemplateProcessing(single="<s> $A", pair="<s> $A <s> $B", special_tokens=[("<s>", 1)])]
    )
    return tokenizer


def qwen2():
    tokenizer = byte_level(split_then_bytes(QWEN2))
    tokenizer.normalizer = normalizers.NFC()
    tokenizer.add_special_tokens(["<|end|>"])
    return tokenizer


def roberta(vocabulary=1500):
    tokenizer = byte_level(pre_tokenizers.ByteLevel(add_prefix_space=True), vocabulary)
    tokenizer.post_processor = processors.RobertaProcessing(("</s>", 2), ("<s>", 1))
    tokenizer.add_special_tokens([AddedToken("<mask>", lstrip=True)])
    return tokenizer


def added_tokens(vocabulary=1500):
    tokenizer = byte_level(GPT2, vocabulary)
    tokenizer.normalizer = normalizers.Lowercase()
    tokenizer.add_tokens(
        [
            AddedToken("<extra>", lstrip=True, rstrip=True, normalized=False),
            AddedToken("EXTRA", normalized=True),
            AddedToken("word", single_word=True, normalized=True),
            AddedToken("wordword", single_word=True, normalized=False),
            AddedToken("  ", normalized=False),
            AddedToken("ﬁ", normalized=False),
        ]
    )
    return tokenizer


def wordpiece(vocabulary=1500, alphabet=1000, **options):
    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(**options)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    trainer = trainers.WordPieceTrainer(vocab_size=vocabulary, limit_alphabet=alphabet, special_tokens=["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"], show_progress=False)
    tokenizer.train_from_iterator(training_text(), trainer)
    tokenizer.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    tokenizer.decoder = decoders.WordPiece()
    return tokenizer


def byte_fallback(normalizer, pre_tokenizer, vocabulary=1500, alphabet=300):
    """As Llama 2's and Gemma's: no bytes' alphabet, unknown characters as bytes."""
    tokenizer = Tokenizer(models.BPE(unk_token="<unk>", byte_fallback=True, fuse_unk=True))
    tokenizer.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)])
    tokenizer.normalizer = normalizer
    tokenizer.pre_tokenizer = pre_tokenizer
    bytes_ = [f"<0x{b:02X}>" for b in range(256)]
    trainer = trainers.BpeTrainer(vocab_size=vocabulary, special_tokens=SPECIALS + bytes_, limit_alphabet=alphabet, show_progress=False)
    tokenizer.train_from_iterator(training_text(), trainer)
    added = {t.content for t in tokenizer.get_added_tokens_decoder().values()}
    assert set(bytes_) <= added  # the trainer marks them special; a model's file does not
    return strip_added(tokenizer, bytes_)


def strip_added(tokenizer, contents):
    import json

    document = json.loads(tokenizer.to_str())
    document["added_tokens"] = [t for t in document["added_tokens"] if t["content"] not in contents]
    return Tokenizer.from_str(json.dumps(document))


def metaspace(scheme, split=True, normalizer=None, vocabulary=1200, alphabet=300):
    tokenizer = Tokenizer(models.BPE(unk_token="<unk>"))
    tokenizer.normalizer = normalizer
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme=scheme, split=split)
    tokenizer.decoder = decoders.Metaspace(prepend_scheme=scheme)
    tokenizer.train_from_iterator(training_text(), trainers.BpeTrainer(vocab_size=vocabulary, special_tokens=SPECIALS, limit_alphabet=alphabet, show_progress=False))
    return tokenizer


def unigram(normalizer, scheme="always", pre_tokenizer=None, vocabulary=3000, alphabet="all"):
    tokenizer = Tokenizer(models.Unigram())
    tokenizer.decoder = decoders.Metaspace(prepend_scheme=scheme)
    tokenizer.normalizer = normalizer
    tokenizer.pre_tokenizer = pre_tokenizer or pre_tokenizers.Metaspace(prepend_scheme=scheme)
    trainer = trainers.UnigramTrainer(vocab_size=vocabulary, special_tokens=SPECIALS, unk_token="<unk>", show_progress=False)
    lines = training_text() if alphabet == "all" else (line for line in training_text() if line.isascii())
    tokenizer.train_from_iterator(lines, trainer)
    return tokenizer


def t5():
    """An end behind each text, and nothing in front."""
    tokenizer = unigram(None)
    tokenizer.post_processor = processors.TemplateProcessing(single="$A </s>", special_tokens=[("</s>", SPECIALS.index("</s>"))])
    return tokenizer


def end_of_word():
    """GPT-1 and CLIP mark the end of a word."""
    tokenizer = Tokenizer(models.BPE(unk_token="<unk>", end_of_word_suffix="</w>"))
    tokenizer.normalizer = normalizers.Sequence([normalizers.NFC(), normalizers.Replace(Regex(r"\s+"), " "), normalizers.Lowercase()])
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.train_from_iterator(training_text(), trainers.BpeTrainer(vocab_size=1200, special_tokens=SPECIALS, end_of_word_suffix="</w>", show_progress=False))
    return tokenizer


def wordlevel(vocabulary=1200):
    tokenizer = Tokenizer(models.WordLevel(unk_token="<unk>"))
    tokenizer.normalizer = normalizers.Sequence([normalizers.NFKC(), normalizers.Strip()])
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Punctuation("contiguous"), pre_tokenizers.Digits()])
    tokenizer.train_from_iterator(training_text(), trainers.WordLevelTrainer(vocab_size=vocabulary, special_tokens=SPECIALS, show_progress=False))
    return tokenizer


N = normalizers
P = pre_tokenizers
ZOO = {
    "gpt2": lambda: byte_level(GPT2),
    "smollm": lambda: byte_level(P.Sequence([P.Digits(individual_digits=True), P.ByteLevel(add_prefix_space=False)])),
    "llama3": llama3,
    "qwen2": qwen2,
    "o200k": lambda: byte_level(split_then_bytes(O200K)),
    "cl100k": lambda: byte_level(split_then_bytes(CL100K)),
    "deepseek": lambda: byte_level(split_then_bytes(*DEEPSEEK)),
    "kimi": lambda: byte_level(split_then_bytes(KIMI)),
    "roberta": roberta,
    "added-tokens": added_tokens,
    "bert": lambda: wordpiece(),
    "bert-cased": lambda: wordpiece(lowercase=False, strip_accents=False, clean_text=False),
    "bert-accents": lambda: wordpiece(lowercase=False, strip_accents=True, handle_chinese_chars=False),
    "llama2": lambda: byte_fallback(N.Sequence([N.Prepend("▁"), N.Replace(" ", "▁")]), None),
    "gemma": lambda: byte_fallback(N.Replace(" ", "▁"), P.Split(" ", "merged_with_previous")),
    "metaspace-first": lambda: metaspace("first"),
    "metaspace-never": lambda: metaspace("never", normalizer=N.Strip()),
    "metaspace-whole": lambda: metaspace("first", split=False, normalizer=N.Sequence([N.Strip(), N.Replace(Regex(" {2,}"), " ")])),
    "unigram": lambda: unigram(None),
    "albert": lambda: unigram(N.Sequence([N.Replace("``", '"'), N.Replace("''", '"'), N.NFKD(), N.StripAccents(), N.Lowercase()])),
    "unigram-nmt": lambda: unigram(N.Sequence([N.Nmt(), N.NFKC(), N.Replace(Regex(" {2,}"), "▁")]), "first"),
    "unigram-bytes": lambda: unigram(N.ByteLevel(), pre_tokenizer=P.WhitespaceSplit()),
    "t5": t5,
    "end-of-word": end_of_word,
    "wordlevel": wordlevel,
}
for behavior in ["removed", "isolated", "merged_with_previous", "merged_with_next", "contiguous"]:
    ZOO[f"split-{behavior}"] = lambda b=behavior: byte_level(P.Sequence([P.Split(Regex(r"[\p{P}\s]"), b), P.ByteLevel(add_prefix_space=True, use_regex=False)]))
    ZOO[f"split-inverted-{behavior}"] = lambda b=behavior: byte_level(P.Sequence([P.Split(Regex(r"\w+"), b, invert=True), P.ByteLevel(add_prefix_space=False, use_regex=False)]))
    ZOO[f"punctuation-{behavior}"] = lambda b=behavior: byte_level(P.Sequence([P.Punctuation(b), P.FixedLength(7), P.ByteLevel(add_prefix_space=False, use_regex=False)]))


def sentencepiece_model(path, vocabulary=2200, alphabet="all", **options):
    """Trains a SentencePiece model at path.model; through a buffer, for a model remembers the path that it was trained to."""
    written = io.BytesIO()
    lines = (line for line in training_text() if alphabet == "all" or line.isascii())
    sentencepiece.SentencePieceTrainer.train(sentence_iterator=lines, model_writer=written, vocab_size=vocabulary, num_threads=1, minloglevel=2, hard_vocab_limit=False, **options)
    pathlib.Path(f"{path}.model").write_bytes(written.getvalue())
    return f"{path}.model"


SENTENCEPIECE = {
    "unigram": dict(model_type="unigram"),
    "bpe": dict(model_type="bpe"),
    "llama": dict(model_type="bpe", byte_fallback=True, normalization_rule_name="identity", remove_extra_whitespaces=False, split_digits=True, allow_whitespace_only_pieces=True),
    "unigram-bytes": dict(model_type="unigram", byte_fallback=True, user_defined_symbols=["<extra>", "wordword", "ll"]),
    "bpe-symbols": dict(model_type="bpe", user_defined_symbols=["<extra>", "word", "wordword", "  "], add_dummy_prefix=False),
    "suffix": dict(model_type="unigram", treat_whitespace_as_suffix=True, normalization_rule_name="nfkc_cf"),
    "nmt": dict(model_type="bpe", normalization_rule_name="nmt_nfkc_cf", control_symbols=["<ctl>"], character_coverage=0.98),
}

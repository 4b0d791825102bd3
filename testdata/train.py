"""Trains the two small models: tokenizers, training loops, and what makes the weights look like a real model's."""
import math
from collections import Counter

import torch
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from torch.nn.functional import cross_entropy
from transformers import BertConfig, BertForSequenceClassification, LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from grammar import TOPICS

LM_STEPS, LM_BATCH, LM_LENGTH = 1200, 8, 256
CLASSIFIER_STEPS, CLASSIFIER_BATCH, CLASSIFIER_LENGTH = 400, 32, 48


def byte_level_tokenizer(text):
    """Byte-level BPE as in GPT-2, 1,024 entries, with a BOS that every text begins with."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    specials = ["<pad>", "<s>", "</s>"]
    trainer = trainers.BpeTrainer(vocab_size=1024, special_tokens=specials, initial_alphabet=alphabet, show_progress=False)
    tokenizer.train_from_iterator(text.splitlines(keepends=True), trainer)
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A", pair="<s> $A <s>:1 $B:1", special_tokens=[("<s>", tokenizer.token_to_id("<s>"))]
    )
    names = {"pad_token": "<pad>", "bos_token": "<s>", "eos_token": "</s>"}
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, model_max_length=512, **names)


def wordpiece_tokenizer(texts):
    """BERT's lower-casing WordPiece, at most 640 entries."""
    specials = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    vocabulary = {piece: i for i, piece in enumerate(specials + word_pieces(texts, 640 - len(specials)))}
    tokenizer = bert_words(models.WordPiece(vocabulary, unk_token="[UNK]"))
    tokenizer.decoder = decoders.WordPiece()
    ids = [(token, vocabulary[token]) for token in ("[CLS]", "[SEP]")]
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1", special_tokens=ids
    )
    inputs = ["input_ids", "token_type_ids", "attention_mask"]
    names = {"pad_token": "[PAD]", "unk_token": "[UNK]", "cls_token": "[CLS]", "sep_token": "[SEP]", "mask_token": "[MASK]"}
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, model_max_length=128, model_input_names=inputs, **names)


def word_pieces(texts, count):
    """Every character, alone and as a continuation, then the commonest pieces that byte-pair merges cut the words into.

    The library's own WordPiece trainer numbers its pieces differently on every run.
    """
    merges = bert_words(models.BPE())
    merges.train_from_iterator(texts, trainers.BpeTrainer(vocab_size=count, show_progress=False))
    pieces = Counter()
    for encoding in merges.encode_batch(texts):
        begins = [word != before for word, before in zip(encoding.word_ids, [None, *encoding.word_ids])]
        pieces.update(token if begin else "##" + token for token, begin in zip(encoding.tokens, begins))
    characters = sorted({character for piece in pieces for character in piece.removeprefix("##")})
    characters += ["##" + character for character in characters]
    commonest = sorted(pieces.keys() - set(characters), key=lambda piece: (-pieces[piece], piece))
    return (characters + commonest)[:count]


def bert_words(model):
    """A tokenizer that cuts text into words as BERT does, and words into pieces by the model."""
    tokenizer = Tokenizer(model)
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    return tokenizer


def fit(model, steps, peak_rate, loss_of_batch):
    """AdamW with a linear warm-up and a cosine down to a tenth of the peak."""
    def rate(step):
        warm_up = min(1.0, (step + 1) / 50)
        return warm_up * (0.55 + 0.45 * math.cos(math.pi * step / steps))

    optimizer = torch.optim.AdamW(model.parameters(), lr=peak_rate, betas=(0.9, 0.98), weight_decay=0.05)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, rate)
    model.train()
    for step in range(steps):
        loss = loss_of_batch()
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        if step % 100 == 0 or step == steps - 1:
            print(f"  step {step}: loss {loss.item():.3f}", flush=True)
    return model.eval()


def train_lm(tokenizer, text):
    """A decoder of the Llama architecture with grouped-query attention and tied embeddings."""
    config = LlamaConfig(
        vocab_size=1024, hidden_size=128, num_hidden_layers=4, num_attention_heads=4, num_key_value_heads=2, intermediate_size=384,
        max_position_embeddings=512, tie_word_embeddings=True, rms_norm_eps=1e-5, attn_implementation="sdpa",
        pad_token_id=tokenizer.pad_token_id, bos_token_id=tokenizer.bos_token_id, eos_token_id=tokenizer.eos_token_id,
    )
    model = LlamaForCausalLM(config)
    ids = torch.tensor(tokenizer(text, add_special_tokens=False)["input_ids"])

    def loss_of_batch():
        starts = torch.randint(len(ids) - LM_LENGTH, (LM_BATCH,))
        windows = torch.stack([ids[s : s + LM_LENGTH - 1] for s in starts])
        batch = torch.nn.functional.pad(windows, (1, 0), value=tokenizer.bos_token_id)
        return model(input_ids=batch, labels=batch).loss

    fit(model, LM_STEPS, 3e-3, loss_of_batch)
    rescale_channels(model)
    return round_to_half(model)


def train_classifier(tokenizer, samples):
    """An encoder of the BERT architecture that names the topic of a text's first segment."""
    config = BertConfig(
        vocab_size=len(tokenizer), hidden_size=96, num_hidden_layers=2, num_attention_heads=4, intermediate_size=256,
        max_position_embeddings=128, num_labels=len(TOPICS), id2label=dict(enumerate(TOPICS)), attn_implementation="sdpa",
        label2id={topic: i for i, topic in enumerate(TOPICS)}, pad_token_id=tokenizer.pad_token_id,
    )
    model = BertForSequenceClassification(config)
    inputs, labels = encode_samples(tokenizer, samples)

    def loss_of_batch():
        rows = torch.randint(len(labels), (CLASSIFIER_BATCH,))
        return model(**{name: values[rows] for name, values in inputs.items()}, labels=labels[rows]).loss

    return round_to_half(fit(model, CLASSIFIER_STEPS, 1e-3, loss_of_batch))


def encode_samples(tokenizer, samples):
    """Labelled samples -> ({input_ids, attention_mask, token_type_ids} each [samples, 48], labels [samples])."""
    shape = {"padding": "max_length", "truncation": True, "max_length": CLASSIFIER_LENGTH}
    encodings = [tokenizer(s["text"], s["text_pair"], **shape) for s in samples]
    names = ("input_ids", "attention_mask", "token_type_ids")
    inputs = {name: torch.tensor([e[name] for e in encodings]) for name in names}
    return inputs, torch.tensor([s["label"] for s in samples])


def windows(tokenizer, text, count, length):
    """The text's first `count` contiguous windows, each BOS and `length` - 1 tokens: [count, length]."""
    ids = tokenizer(text, add_special_tokens=False)["input_ids"]
    step = length - 1
    assert len(ids) >= count * step, f"the text has {len(ids)} tokens, {count * step} are needed"
    return torch.tensor([[tokenizer.bos_token_id] + ids[i * step : (i + 1) * step] for i in range(count)])


@torch.no_grad()
def rescale_channels(model):
    """Gives the decoder outlier channels, as large models grow them, and keeps its function.

    A factor per channel goes into a normalisation's gain, into the rows of V and into the rows of the up matrix, and its inverse into the
    columns that read it: nearly log-normal, with a few channels of eight times the size.
    """
    config = model.config
    head = config.hidden_size // config.num_attention_heads
    repeat = config.num_attention_heads // config.num_key_value_heads
    for layer in model.model.layers:
        attention, mlp = layer.self_attn, layer.mlp
        move_scale(layer.input_layernorm.weight, (attention.q_proj, attention.k_proj, attention.v_proj))
        move_scale(layer.post_attention_layernorm.weight, (mlp.gate_proj, mlp.up_proj))
        move_scale(mlp.up_proj.weight, (mlp.down_proj,))
        move_scale(attention.v_proj.weight, (attention.o_proj,), lambda s: s.view(-1, head).repeat_interleave(repeat, 0).flatten())


def move_scale(producer, readers, widen=lambda scales: scales):
    scales = torch.exp(0.3 * torch.randn(producer.shape[0]))
    scales[torch.randperm(len(scales))[:3]] *= 8
    producer *= scales.view(-1, *[1] * (producer.dim() - 1))
    for reader in readers:
        reader.weight /= widen(scales)


@torch.no_grad()
def round_to_half(model):
    """Rounds every weight to a float16 number, so that a float16 checkpoint and a float32 export are the same model."""
    for weight in model.parameters():
        weight.copy_(weight.half().float())
    return model


@torch.no_grad()
def perplexity(model, ids):
    logits = model(input_ids=ids).logits[:, :-1]
    return cross_entropy(logits.flatten(0, 1), ids[:, 1:].flatten()).exp().item()


def unigram_perplexity(training_ids, ids):
    """Perplexity of the training text's token frequencies (add-one smoothed) on the same positions."""
    counts = Counter(training_ids)
    total = len(training_ids) + 1024
    targets = ids[:, 1:].flatten().tolist()
    return math.exp(-sum(math.log((counts[t] + 1) / total) for t in targets) / len(targets))


@torch.no_grad()
def accuracy(model, inputs, labels):
    return (model(**inputs).logits.argmax(-1) == labels).float().mean().item()

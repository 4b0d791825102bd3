"""What `terse eval` says of models for other uses than writing text, by the rules that its report names, is what PyTorch says by them.

Each model is held against a reference: itself with some noise in its weights. Texts go through a tokenizer of its own.
"""

import dataclasses
import json

import families
import gguf_models
import numpy as np
import pytest
import tokenizer_zoo as zoo
import torch
import transformers
from families import BERT_LIKE, ENCODER, ENCODER_DECODER, FAMILIES, T5_LIKE, Family
from runtimes import compress, cosines, kl_divergence, relative_error, run_onnxruntime, terse
from test_folders import run_terse
from torch.nn.functional import cross_entropy

ONE_TOKEN_IN = 7
TEXTS = list(zoo.training_text())
LINES = [text for text in TEXTS if text.isascii() and len(text) > 60 and "\n" not in text and not any(s in text for s in "[]<>")][:12]
DISTILBERT_MASKED = Family("DistilBertConfig", "DistilBertForMaskedLM", FAMILIES["distilbert"].settings)
MASKED = {name: FAMILIES[name] for name in ("bert", "albert", "mobilebert", "electra-generator")} | {"distilbert": DISTILBERT_MASKED}
SENTENCES = Family("BertConfig", "BertModel", BERT_LIKE, ENCODER, ("last_hidden_state",))


@dataclasses.dataclass
class Pair:
    """Two models in folders with a tokenizer, and a file of text."""

    folder: object
    reference_folder: object
    model: object
    reference: object
    tokenizer: object

    def measure(self, data, *arguments):
        report = self.folder.parent / "report.json"
        terse("eval", self.folder, "--reference", self.reference_folder, "--data", data, "--report", report, *arguments)
        return json.loads(report.read_text())["evaluation"]


def make_pair(family, tokenizer, root):
    row = dataclasses.replace(family, settings=family.settings | dict(max_position_embeddings=512)) if "max_position_embeddings" in family.settings else family
    folders = [root / "model", root / "reference"]
    size = [gguf_models.write_tokenizer(tokenizer, folder) for folder in folders][0]
    reference, model = (gguf_models.build("uses", row, size) for _ in folders)
    torch.manual_seed(1)
    with torch.no_grad():
        for weight in model.parameters():
            weight.mul_(1 + 0.1 * torch.randn_like(weight))
    for folder, built in zip(folders, (model, reference)):
        built.save_pretrained(folder)
    return Pair(*folders, model, reference, transformers.AutoTokenizer.from_pretrained(folders[0]))


@pytest.fixture
def lines(tmp_path):
    file = tmp_path / "lines.txt"
    file.write_text("\n".join(LINES) + "\n")
    return file


@torch.no_grad()
def logits(model, ids):
    return model(input_ids=torch.tensor([ids])).logits[0].double()


def ids_of(pair):
    return [pair.tokenizer(line, truncation=True, max_length=64).input_ids for line in LINES]


def masked(pair, ids):
    """Copies of the ids with each seventh of the inner tokens masked, and where."""
    inner = range(1, len(ids) - 1)
    for places in (list(inner[first::ONE_TOKEN_IN]) for first in range(ONE_TOKEN_IN)):
        yield [pair.tokenizer.mask_token_id if i in places else token for i, token in enumerate(ids)], places


@pytest.mark.parametrize("name", MASKED)
def test_masked_language_models(name, lines, tmp_path):
    pair = make_pair(MASKED[name], "bert", tmp_path)
    losses, reference_losses, rows = [], [], []
    for ids in ids_of(pair):
        for changed, places in masked(pair, ids):
            found, expected = (logits(model, changed)[places] for model in (pair.model, pair.reference))
            labels = torch.tensor(ids)[places]
            losses.append(cross_entropy(found, labels, reduction="none"))
            reference_losses.append(cross_entropy(expected, labels, reduction="none"))
            rows.append((found.numpy(), expected.numpy()))
    found, expected = (np.concatenate(parts) for parts in zip(*rows))
    evaluation = pair.measure(lines)
    assert evaluation["task"] == "masked language model"
    assert evaluation["rows"] == len(found) == sum(len(ids) - 2 for ids in ids_of(pair))
    assert evaluation["pseudo_perplexity"] == pytest.approx(torch.cat(losses).mean().exp().item(), rel=1e-4)
    assert evaluation["reference_pseudo_perplexity"] == pytest.approx(torch.cat(reference_losses).mean().exp().item(), rel=1e-4)
    assert evaluation["kl_mean"] == pytest.approx(kl_divergence(expected, found), rel=1e-3)
    assert evaluation["top1"] == pytest.approx((found.argmax(-1) == expected.argmax(-1)).mean(), abs=1e-9)


def replaced(ids):
    """Of the inner tokens the fourth of each seven is another one, half the text away; which really are others."""
    inner = list(range(1, len(ids) - 1))
    changed = list(ids)
    for n in range(ONE_TOKEN_IN // 2, len(inner), ONE_TOKEN_IN):
        changed[inner[n]] = ids[inner[(n + len(inner) // 2) % len(inner)]]
    return changed, np.array([changed[i] != ids[i] for i in inner])


@torch.no_grad()
def decide_half(pair, texts):
    """Shifts both detectors' bias so that the reference calls half of these tokens replaced, whatever its random weights make of them."""
    found = torch.cat([logits(pair.reference, text)[1:-1] for text in texts]).sort().values
    middle = found[len(found) // 2 - 1 :][:2].mean()
    for model, folder in ((pair.model, pair.folder), (pair.reference, pair.reference_folder)):
        model.discriminator_predictions.dense_prediction.bias -= middle
        model.save_pretrained(folder)


def test_detectors_of_replaced_tokens(lines, tmp_path):
    pair = make_pair(FAMILIES["electra"], "bert", tmp_path)
    decide_half(pair, [replaced(ids)[0] for ids in ids_of(pair)])
    found, expected, labels = [], [], []
    for ids in ids_of(pair):
        changed, is_other = replaced(ids)
        labels.append(is_other)
        found.append(logits(pair.model, changed)[1:-1].numpy() > 0)
        expected.append(logits(pair.reference, changed)[1:-1].numpy() > 0)
    found, expected, labels = map(np.concatenate, (found, expected, labels))
    evaluation = pair.measure(lines)
    assert evaluation["task"] == "replaced token detector"
    assert 0 < (found == expected).mean() < 1
    assert evaluation["agreement"] == pytest.approx((found == expected).mean())
    assert evaluation["accuracy"] == pytest.approx((found == labels).mean())
    assert evaluation["reference_accuracy"] == pytest.approx((expected == labels).mean())


POOLINGS = {  # of [tokens, width], no padding
    "mean_tokens": lambda hidden: hidden.mean(0),
    "cls_token": lambda hidden: hidden[0],
    "max_tokens": lambda hidden: hidden.max(0),
    "mean_sqrt_len_tokens": lambda hidden: hidden.sum(0) / len(hidden) ** 0.5,
    "weightedmean_tokens": lambda hidden: (hidden * np.arange(1, len(hidden) + 1)[:, None]).sum(0) / np.arange(1, len(hidden) + 1).sum(),
    "lasttoken": lambda hidden: hidden[-1],
}


@torch.no_grad()
def hidden(model, ids):
    return model(input_ids=torch.tensor([ids])).last_hidden_state[0].double().numpy()


@pytest.mark.parametrize("modes", [*[[mode] for mode in POOLINGS], ["cls_token", "mean_tokens"]], ids="+".join)
def test_sentence_embeddings(modes, lines, tmp_path):
    pair = make_pair(SENTENCES, "bert", tmp_path)
    modules = ["Transformer", "Pooling", "Normalize"]
    (pair.folder / "modules.json").write_text(json.dumps(
        [{"idx": i, "path": f"{i}_{kind}" if i else "", "type": f"sentence_transformers.models.{kind}"} for i, kind in enumerate(modules)]))
    (pair.folder / "1_Pooling").mkdir()
    (pair.folder / "1_Pooling/config.json").write_text(json.dumps({f"pooling_mode_{mode}": mode in modes for mode in POOLINGS}))
    vectors = [[np.concatenate([POOLINGS[mode](hidden(model, ids)) for mode in modes]) for ids in ids_of(pair)] for model in (pair.model, pair.reference)]
    expected = cosines(*map(np.array, vectors))
    evaluation = pair.measure(lines)
    assert evaluation["task"] == "encoder" and "normalised" in evaluation["rule"]
    assert evaluation["cosine_mean"] == pytest.approx(expected.mean(), abs=1e-6)
    assert evaluation["cosine_worst"] == pytest.approx(expected.min(), abs=1e-6)


T5 = {
    "tied": T5_LIKE,
    "gated": T5_LIKE | dict(feed_forward_proj="gated-gelu"),
    "untied": T5_LIKE | dict(feed_forward_proj="gated-gelu", tie_word_embeddings=False),
}
WINDOW = 32


def t5_windows(pair, file):
    """For each window: the encoder's ids, with the tokens that a text ends in, and the decoder's."""
    ids = pair.tokenizer(file.read_text(), add_special_tokens=False).input_ids
    half, behind = WINDOW // 2, pair.tokenizer("").input_ids
    for begin in range(0, len(ids) - WINDOW + 1, WINDOW):
        window = ids[begin : begin + WINDOW]
        yield [*window[: half - len(behind)], *behind], [0, *window[half:-1]]


@torch.no_grad()
def t5_logits(model, encoder_ids, decoder_ids):
    return model(input_ids=torch.tensor([encoder_ids]), decoder_input_ids=torch.tensor([decoder_ids])).logits[0].double()


@pytest.fixture
def t5(request, tmp_path):
    return make_pair(Family("T5Config", "T5ForConditionalGeneration", T5[request.param], ENCODER_DECODER), "t5", tmp_path)


@pytest.mark.parametrize("t5", T5, indirect=True)
def test_encoder_decoders_with_the_right_tokens_before_each(t5, tmp_path):
    file = tmp_path / "text.txt"
    file.write_text(" ".join(TEXTS[:40]).replace("\n", " "))
    losses, rows = [], []
    for encoder_ids, decoder_ids in t5_windows(t5, file):
        found, expected = (t5_logits(model, encoder_ids, decoder_ids)[:-1] for model in (t5.model, t5.reference))
        losses.append(cross_entropy(found, torch.tensor(decoder_ids[1:]), reduction="none"))
        rows.append((found.numpy(), expected.numpy()))
    found, expected = (np.concatenate(parts) for parts in zip(*rows))
    evaluation = t5.measure(file, "--seq-len", WINDOW, "--samples", 0)
    assert evaluation["task"] == "language model"
    assert evaluation["rows"] == len(found)
    assert evaluation["perplexity"] == pytest.approx(torch.cat(losses).mean().exp().item(), rel=1e-4)
    assert evaluation["kl_mean"] == pytest.approx(kl_divergence(expected, found), rel=1e-3)


@pytest.mark.parametrize("t5", T5, indirect=True)
@pytest.mark.parametrize("recipe", ["int8", "int4"])
def test_encoder_decoders_are_compressed_with_text(t5, recipe, tmp_path):
    data, other, report = tmp_path / "data.txt", tmp_path / "other.txt", tmp_path / "report.json"
    data.write_text(" ".join(TEXTS[:300]).replace("\n", " "))
    other.write_text(" ".join(TEXTS[300:400]).replace("\n", " "))
    found = []
    for calibration in ([], ["--data", data, "--seq-len", WINDOW]):
        out = compress(t5.folder, tmp_path / "out.onnx", recipe, *calibration, "--eval-data", other, "--report", report)
        found.append(json.loads(report.read_text())["evaluation"])
    assert found[0]["task"] == "language model"
    assert found[1]["kl_mean"] < found[0]["kl_mean"]  # on text that it has not seen
    inputs = families.feed(FAMILIES["t5"], (3, 13, 7), seed=2)
    for name, values in run_onnxruntime(out, inputs).items():
        assert relative_error(run_terse(out, inputs, tmp_path / "run")[name], values) <= 1e-3

"""Folders of tiny random models with a tokenizer each, of the families that llama.cpp has, and how GGUF files of them are read."""

import dataclasses
import json
import pathlib
import shutil
from dataclasses import dataclass

import families
import gguf
import numpy as np
import tokenizer_zoo as zoo
import torch
import transformers
from families import BERT_LIKE, ENCODER, ENCODER_DECODER, FAMILIES, LLAMA_LIKE, T5_LIKE, Family

HIDDEN = ("last_hidden_state",)


@dataclass(frozen=True)
class Model:
    """A row: a family, its tokenizer in the zoo, and llama.cpp's name for the tokenizer's way of cutting text."""

    family: Family
    tokenizer: str
    pre: str
    spare: int = 0  # rows of the table that no token has

    @property
    def encoder(self):
        return self.family.outputs == HIDDEN

    @property
    def encoder_decoder(self):
        return self.family.inputs == ENCODER_DECODER


def llama(**settings):
    return Family("LlamaConfig", "LlamaForCausalLM", LLAMA_LIKE | settings)


def phi3(trained=64, longest=64):
    """With factors of its own for contexts that are longer than those that it was trained on, if it takes any."""
    longrope = dict(rope_type="longrope", rope_theta=1e4, short_factor=[1 + i / 8 for i in range(8)], long_factor=[2 + i for i in range(8)])
    settings = dict(sliding_window=20, original_max_position_embeddings=trained, max_position_embeddings=longest)
    return Family("Phi3Config", "Phi3ForCausalLM", LLAMA_LIKE | settings | (dict(rope_parameters=longrope) if longest > trained else {}))


BERT = Family("BertConfig", "BertModel", BERT_LIKE, ENCODER, HIDDEN, loading=dict(add_pooling_layer=False))
DISTILBERT = Family("DistilBertConfig", "DistilBertModel", dict(dim=64, hidden_dim=160, n_layers=2, n_heads=4, max_position_embeddings=64), outputs=HIDDEN)
GPT2 = dataclasses.replace(FAMILIES["gpt2"], settings=FAMILIES["gpt2"].settings | dict(n_ctx=64))  # as old files say it; the converter wants it
LINEAR = dict(rope_parameters=dict(rope_type="linear", rope_theta=1e4, factor=4.0))
WIDE = LLAMA_LIKE | dict(hidden_size=256, head_dim=64, intermediate_size=512, tie_word_embeddings=True)
# A width whose root is no power of 2: the first version's decoder is scaled by it.
T5 = dataclasses.replace(FAMILIES["t5"], settings=T5_LIKE | dict(d_model=96, num_layers=3, num_decoder_layers=2))
T5_ENCODER = Family("T5Config", "T5EncoderModel", T5_LIKE | dict(feed_forward_proj="gated-gelu", is_encoder_decoder=False), outputs=HIDDEN)
QWEN3_MOE = dict(head_dim=32, moe_intermediate_size=96, num_experts=6, num_experts_per_tok=3, norm_topk_prob=True)
MODELS = {
    "llama": Model(FAMILIES["llama"], "smollm", "smollm"),
    "llama-untied": Model(llama(), "llama.model", "default"),
    "llama-linear": Model(llama(**LINEAR), "qwen2", "qwen2"),
    "llama3": Model(FAMILIES["llama3"], "llama3", "llama-bpe", spare=7),
    "mistral": Model(Family("MistralConfig", "MistralForCausalLM", LLAMA_LIKE | dict(sliding_window=None)), "smollm", "smollm"),
    "qwen2": Model(Family("Qwen2Config", "Qwen2ForCausalLM", LLAMA_LIKE), "qwen2", "qwen2"),
    "qwen3": Model(Family("Qwen3Config", "Qwen3ForCausalLM", LLAMA_LIKE | dict(head_dim=32)), "qwen2", "qwen2"),
    "qwen3_moe": Model(Family("Qwen3MoeConfig", "Qwen3MoeForCausalLM", LLAMA_LIKE | QWEN3_MOE), "qwen2", "qwen2"),
    "mixtral": Model(FAMILIES["mixtral"], "smollm", "smollm"),
    "granite": Model(FAMILIES["granite"], "smollm", "smollm"),
    "granitemoe": Model(FAMILIES["granitemoe"], "smollm", "smollm"),
    "gemma": Model(FAMILIES["gemma"], "llama.model", "default"),
    "gemma2": Model(dataclasses.replace(FAMILIES["gemma2"], settings=FAMILIES["gemma2"].settings | dict(query_pre_attn_scalar=32)), "llama.model", "default"),
    "phi": Model(FAMILIES["phi"], "gpt2", "gpt-2"),
    # Phi-3: of models that are called so, llama.cpp wants tokens of the published ones.
    "fused": Model(phi3(), "llama.model", "default"),
    "longrope": Model(phi3(8, 64), "llama.model", "default"),
    "longrope-short": Model(phi3(512, 1024), "llama.model", "default"),
    "gpt2": Model(GPT2, "gpt2", "gpt-2"),
    "bert": Model(BERT, "bert", "bert-bge"),
    "distilbert": Model(DISTILBERT, "bert", "bert-bge"),
    "t5": Model(T5, "t5", "default"),
    "t5-gated": Model(FAMILIES["t5-gated"], "t5", "default"),
    "t5-encoder": Model(T5_ENCODER, "t5", "default"),
    "wide-experts": Model(Family("MixtralConfig", "MixtralForCausalLM", WIDE | dict(num_local_experts=4, num_experts_per_tok=2)), "smollm", "smollm"),
    "wide": Model(llama(**WIDE), "smollm", "smollm"),
}  # fmt: skip


@dataclass
class Made:
    """A folder, the same in f16, token ids to run it with, and PyTorch's output for them."""

    row: Model
    folder: pathlib.Path
    half: pathlib.Path
    ids: np.ndarray
    expected: np.ndarray
    decoder_ids: np.ndarray | None = None

    def feed(self):
        """Arrays by the names of the graph's inputs."""
        values = {"input_ids": self.ids, "attention_mask": np.ones_like(self.ids), "token_type_ids": np.zeros_like(self.ids), "decoder_input_ids": self.decoder_ids}
        return {name: values[name] for name in self.row.family.inputs}


def make(name, folder):
    """Writes a model's folder, and in it the folder `half`."""
    row = MODELS[name]
    size = write_tokenizer(row.tokenizer, folder) + row.spare
    model = build(name, row.family, size)
    random = np.random.default_rng(4)
    made = Made(row, folder, folder / "half", random.integers(5, size, (3, 13)), None)
    if row.encoder_decoder:
        made.decoder_ids = random.integers(5, size, (3, 9))
    made.expected = run_pytorch(model, made)
    model.save_pretrained(folder)
    model.half().save_pretrained(made.half)
    for file in folder.glob("tokenizer*"):
        shutil.copy(file, made.half)
    return made


def build(name, family, vocabulary):
    torch.manual_seed(sum(name.encode()))
    config = getattr(transformers, family.config)(vocab_size=vocabulary, **families.special_tokens(family), **family.settings)
    model = getattr(transformers, family.model)
    built = (model(config, **family.loading) if family.outputs == HIDDEN else model._from_config(config, **family.loading)).eval()
    families.untie(built, family)
    families.randomise(built, family.norm_centre)
    return built


@torch.no_grad()
def run_pytorch(model, made):
    feed = {name: torch.from_numpy(values) for name, values in made.feed().items() if name != "token_type_ids"}
    return model(**feed)[made.row.family.outputs[0]].float().numpy()


SENTENCEPIECE = {"tokenizer_class": "LlamaTokenizer", "bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>", "add_bos_token": True, "add_eos_token": False}


def write_tokenizer(name, folder):
    """Its files, as transformers writes them; the number of tokens."""
    folder.mkdir(parents=True, exist_ok=True)
    if name.endswith(".model"):
        zoo.sentencepiece_model(folder / "tokenizer", **zoo.SENTENCEPIECE[name.removesuffix(".model")])
        (folder / "tokenizer_config.json").write_text(json.dumps(SENTENCEPIECE))
        return zoo.sentencepiece.SentencePieceProcessor(model_file=str(folder / "tokenizer.model")).vocab_size()
    tokenizer = zoo.ZOO[name]()
    special = {"cls_token": "[CLS]", "sep_token": "[SEP]", "mask_token": "[MASK]", "pad_token": "[PAD]", "unk_token": "[UNK]"}
    if name != "bert":
        special = {"bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>", "pad_token": "<pad>"}
    transformers.PreTrainedTokenizerFast(tokenizer_object=tokenizer, **special).save_pretrained(folder)
    return tokenizer.get_vocab_size()


def metadata(path):
    """Every key with its types and value."""
    return {f.name: ([t.name for t in f.types], f.contents()) for f in gguf.GGUFReader(path).fields.values() if not f.name.startswith("GGUF.")}


def tensors(path):
    """Every tensor: its type, shape and bytes."""
    return {t.name: (t.tensor_type.name, tuple(map(int, t.shape)), t.data) for t in gguf.GGUFReader(path).tensors}


def dequantized(path, out):
    """The same file with every tensor in f32, as gguf-py decodes blocks."""
    reader = gguf.GGUFReader(path)
    writer = gguf.GGUFWriter(out, reader.get_field("general.architecture").contents())
    for field in reader.fields.values():
        if not field.name.startswith("GGUF.") and field.name != "general.architecture":
            writer.add_key_value(field.name, field.contents(), field.types[0], sub_type=field.types[-1])
    for tensor in reader.tensors:
        writer.add_tensor(tensor.name, gguf.quants.dequantize(tensor.data, tensor.tensor_type))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return out

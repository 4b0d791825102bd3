#include <array>
#include <nlohmann/json.hpp>

#include "formats/bytes.h"
#include "formats/config.h"
#include "formats/error.h"
#include "formats/gguf/family_rows.h"

namespace terse::gguf {
namespace {

namespace fs = std::filesystem;

constexpr std::array kBertNames = {
    NameRow{"bert.embeddings.word_embeddings", "token_embd"},
    NameRow{"bert.embeddings.position_embeddings", "position_embd", NameRow::Kind::float_table},
    NameRow{"bert.embeddings.token_type_embeddings", "token_types", NameRow::Kind::float_table},
    NameRow{"bert.embeddings.LayerNorm", "token_embd_norm"},
    NameRow{"bert.encoder.layer.{}.attention.self.query", "blk.{}.attn_q"},
    NameRow{"bert.encoder.layer.{}.attention.self.key", "blk.{}.attn_k"},
    NameRow{"bert.encoder.layer.{}.attention.self.value", "blk.{}.attn_v"},
    NameRow{"bert.encoder.layer.{}.attention.output.dense", "blk.{}.attn_output"},
    NameRow{"bert.encoder.layer.{}.attention.output.LayerNorm", "blk.{}.attn_output_norm"},
    NameRow{"bert.encoder.layer.{}.intermediate.dense", "blk.{}.ffn_up"},
    NameRow{"bert.encoder.layer.{}.output.dense", "blk.{}.ffn_down"},
    NameRow{"bert.encoder.layer.{}.output.LayerNorm", "blk.{}.layer_output_norm"},
};

constexpr std::array kDistilbertNames = {
    NameRow{"distilbert.embeddings.word_embeddings", "token_embd"},
    NameRow{"distilbert.embeddings.position_embeddings", "position_embd", NameRow::Kind::float_table},
    NameRow{"distilbert.embeddings.LayerNorm", "token_embd_norm"},
    NameRow{"distilbert.transformer.layer.{}.attention.q_lin", "blk.{}.attn_q"},
    NameRow{"distilbert.transformer.layer.{}.attention.k_lin", "blk.{}.attn_k"},
    NameRow{"distilbert.transformer.layer.{}.attention.v_lin", "blk.{}.attn_v"},
    NameRow{"distilbert.transformer.layer.{}.attention.out_lin", "blk.{}.attn_output"},
    NameRow{"distilbert.transformer.layer.{}.sa_layer_norm", "blk.{}.attn_output_norm"},
    NameRow{"distilbert.transformer.layer.{}.ffn.lin1", "blk.{}.ffn_up"},
    NameRow{"distilbert.transformer.layer.{}.ffn.lin2", "blk.{}.ffn_down"},
    NameRow{"distilbert.transformer.layer.{}.output_layer_norm", "blk.{}.layer_output_norm"},
};

constexpr std::array kBertKeys = {
    KeyRow{"block_count", "num_hidden_layers"},
    KeyRow{"context_length", "max_position_embeddings"},
    KeyRow{"embedding_length", "hidden_size"},
    KeyRow{"feed_forward_length", "intermediate_size"},
    KeyRow{"attention.head_count", "num_attention_heads"},
    KeyRow{"attention.layer_norm_epsilon", "layer_norm_eps", KeyRow::Type::number, 1e-12},
};

constexpr std::array kDistilbertKeys = {
    KeyRow{"block_count", "n_layers"},         KeyRow{"context_length", "max_position_embeddings"},
    KeyRow{"embedding_length", "dim"},         KeyRow{"feed_forward_length", "hidden_dim"},
    KeyRow{"attention.head_count", "n_heads"},
};

// llama.cpp computes GELU by its approximation with tanh, from a table in f16.
constexpr std::array kBertFixed = {FixedRow{"hidden_act", "\"gelu\"", "\"gelu_new\""},
                                   FixedRow{"position_embedding_type", "\"absolute\""}};
constexpr std::array kDistilbertFixed = {FixedRow{"activation", "\"gelu\""}};

// llama.cpp's encoders give embeddings.
constexpr std::array<std::string_view, 2> kBertLeftOut = {"bert.pooler.", "cls."};
constexpr std::array<std::string_view, 1> kDistilbertLeftOut = {"vocab_"};

constexpr std::string_view kTypeCount = "tokenizer.ggml.token_type_count";

/// How sentence-transformers makes one vector of all tokens', and llama.cpp's number for it (enum llama_pooling_type).
struct PoolingRow {
  std::string_view flag;
  uint32_t type;
};
constexpr std::array kPoolings = {
    PoolingRow{"pooling_mode_mean_tokens", 1},
    PoolingRow{"pooling_mode_cls_token", 2},
    PoolingRow{"pooling_mode_lasttoken", 3},
};

void write_pooling(const fs::path& folder, ArchitectureKeys& keys) {
  const fs::path path = folder / "1_Pooling" / "config.json";
  if (folder.empty() || !fs::exists(path)) {
    return;
  }
  with_context(path.string(), [&] {
    const nlohmann::json document = parse_json(read_text(path));
    const JsonField config(document, "");
    for (const PoolingRow& row : kPoolings) {
      if (config.flag_or(row.flag, false)) {
        keys.set("pooling_type", row.type);
        return;
      }
    }
  });
}

void write_encoder(const JsonField& config, const fs::path& folder, ArchitectureKeys& keys) {
  keys.set("attention.causal", false);
  write_pooling(folder, keys);
  keys.metadata().set(kTypeCount, static_cast<uint32_t>(size_or(config, "type_vocab_size", 1)));
}

void write_distilbert(const JsonField& config, const fs::path& folder, ArchitectureKeys& keys) {
  keys.set("attention.layer_norm_epsilon", 1e-12F);
  write_encoder(config, folder, keys);
}

void read_bert(const File& file, const ArchitectureKeys& /*keys*/, nlohmann::ordered_json& config) {
  const Shape& types = file.find("token_types.weight")->shape;
  config["type_vocab_size"] = types.empty() ? 0 : types.front();
}

}  // namespace

constinit const FamilyRow kBert = {.model_type = "bert",
                                   .architecture = "bert",
                                   .checkpoint_class = "BertModel",
                                   .signature = "token_types.weight",
                                   .names = kBertNames,
                                   .keys = kBertKeys,
                                   .fixed = kBertFixed,
                                   .left_out = kBertLeftOut,
                                   .write = write_encoder,
                                   .read = read_bert,
                                   .derive = nullptr};

constinit const FamilyRow kDistilbert = {.model_type = "distilbert",
                                         .architecture = "bert",
                                         .checkpoint_class = "DistilBertModel",
                                         .signature = "",
                                         .names = kDistilbertNames,
                                         .keys = kDistilbertKeys,
                                         .fixed = kDistilbertFixed,
                                         .left_out = kDistilbertLeftOut,
                                         .write = write_distilbert,
                                         .read = nullptr,
                                         .derive = nullptr};

}  // namespace terse::gguf

#include "formats/architectures/encoder.h"

#include <algorithm>

#include "tests/formats/architectures/tiny_checkpoint.h"

namespace terse::architectures {
namespace {

/// One layer of 4 columns for 10 words; the plain model.
TinyCheckpoint tiny_bert() {
  TinyCheckpoint tiny{
      .config = R"({"model_type": "bert", "architectures": ["BertModel"], "vocab_size": 10, "hidden_size": 4,
                    "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 6,
                    "max_position_embeddings": 8, "type_vocab_size": 2})",
      .shapes = {{"bert.embeddings.word_embeddings.weight", {10, 4}},
                 {"bert.embeddings.position_embeddings.weight", {8, 4}},
                 {"bert.embeddings.token_type_embeddings.weight", {2, 4}},
                 {"bert.encoder.layer.0.intermediate.dense.weight", {6, 4}},
                 {"bert.encoder.layer.0.intermediate.dense.bias", {6}},
                 {"bert.encoder.layer.0.output.dense.weight", {4, 6}},
                 {"bert.encoder.layer.0.output.dense.bias", {4}},
                 {"bert.pooler.dense.weight", {4, 4}},
                 {"bert.pooler.dense.bias", {4}}}};
  for (const std::string linear : {"self.query", "self.key", "self.value", "output.dense"}) {
    tiny.shapes["bert.encoder.layer.0.attention." + linear + ".weight"] = {4, 4};
    tiny.shapes["bert.encoder.layer.0.attention." + linear + ".bias"] = {4};
  }
  for (const std::string norm : {"embeddings", "encoder.layer.0.attention.output", "encoder.layer.0.output"}) {
    tiny.shapes["bert." + norm + ".LayerNorm.weight"] = {4};
    tiny.shapes["bert." + norm + ".LayerNorm.bias"] = {4};
  }
  return tiny;
}

TinyCheckpoint with_masked_lm() {
  TinyCheckpoint tiny = tiny_bert();
  tiny.shapes.insert({{"cls.predictions.transform.dense.weight", {4, 4}},
                      {"cls.predictions.transform.dense.bias", {4}},
                      {"cls.predictions.transform.LayerNorm.weight", {4}},
                      {"cls.predictions.transform.LayerNorm.bias", {4}},
                      {"cls.predictions.bias", {10}}});
  return tiny.configure("BertModel", "BertForMaskedLM");
}

TinyCheckpoint with_classifier(const std::string& architecture) {
  TinyCheckpoint tiny = tiny_bert();
  tiny.shapes.insert({{"classifier.weight", {3, 4}}, {"classifier.bias", {3}}});
  tiny.configure(R"("vocab_size")", R"("id2label": {"0": "a", "1": "b", "2": "c"}, "vocab_size")");
  return tiny.configure("BertModel", architecture);
}

TinyCheckpoint without(TinyCheckpoint tiny, const std::string& part) {
  std::erase_if(tiny.shapes, [&](const auto& entry) { return entry.first.find(part) != std::string::npos; });
  return tiny;
}

std::string outputs(const TinyCheckpoint& tiny) {
  const Model model = tiny.build();
  return names(model.graph, model.graph.main.outputs);
}

/// The weight of the last linear.
std::string last_weight(const TinyCheckpoint& tiny) {
  const Graph graph = tiny.build().graph;
  for (auto node = graph.main.nodes.rbegin(); node != graph.main.nodes.rend(); ++node) {
    if (node->is("MatMul") && graph.is_constant(node->input(1))) {
      return graph.value(node->input(1)).name;
    }
  }
  return "";
}

/// Embeddings of 2 columns, without a family and a head in the configuration.
TinyCheckpoint tiny_electra() {
  TinyCheckpoint tiny = without(tiny_bert(), "pooler").rename("bert.", "electra.");
  for (auto& [name, shape] : tiny.shapes) {
    shape.back() = name.starts_with("electra.embeddings") ? 2 : shape.back();
  }
  tiny.shapes.insert({{"electra.embeddings_project.weight", {4, 2}},
                      {"electra.embeddings_project.bias", {4}},
                      {"discriminator_predictions.dense.weight", {4, 4}},
                      {"discriminator_predictions.dense.bias", {4}},
                      {"discriminator_predictions.dense_prediction.weight", {1, 4}},
                      {"discriminator_predictions.dense_prediction.bias", {1}}});
  tiny.configure(R"("model_type": "bert", "architectures": ["BertModel"],)", R"("embedding_size": 2,)");
  return tiny;
}

/// Three layers of two groups of one layer.
TinyCheckpoint tiny_albert() {
  TinyCheckpoint tiny{
      .config = R"({"model_type": "albert", "architectures": ["AlbertModel"], "vocab_size": 10, "hidden_size": 4,
                    "embedding_size": 2, "num_hidden_layers": 3, "num_hidden_groups": 2, "num_attention_heads": 2,
                    "intermediate_size": 6, "max_position_embeddings": 8, "type_vocab_size": 2})",
      .shapes = {{"albert.embeddings.word_embeddings.weight", {10, 2}},
                 {"albert.embeddings.position_embeddings.weight", {8, 2}},
                 {"albert.embeddings.token_type_embeddings.weight", {2, 2}},
                 {"albert.embeddings.LayerNorm.weight", {2}},
                 {"albert.embeddings.LayerNorm.bias", {2}}}};
  const auto add = [&](const std::string& name, int64_t out, int64_t in) {
    tiny.shapes["albert.encoder." + name + ".weight"] = in == 0 ? Shape{out} : Shape{out, in};
    tiny.shapes["albert.encoder." + name + ".bias"] = {out};
  };
  add("embedding_hidden_mapping_in", 4, 2);
  for (const std::string layer : {"albert_layer_groups.0.albert_layers.0.", "albert_layer_groups.1.albert_layers.0."}) {
    for (const std::string linear : {"query", "key", "value", "dense"}) {
      add(layer + "attention." + linear, 4, 4);
    }
    add(layer + "attention.LayerNorm", 4, 0);
    add(layer + "ffn", 6, 4);
    add(layer + "ffn_output", 4, 6);
    add(layer + "full_layer_layer_norm", 4, 0);
  }
  return tiny;
}

/// How many linears read the weight.
int64_t uses(const Graph& graph, std::string_view weight) {
  return std::ranges::count_if(graph.main.nodes, [&](const Node& node) {
    return node.is("MatMul") && graph.value(node.input(1)).name == weight;
  });
}

constexpr auto kFeatures = "last_hidden_state,batch,sequence,4 pooler_output,batch,4";

}  // namespace

TEST_SUITE("formats/architectures/encoder") {
  TEST_CASE("inputs and outputs are named as transformers' exporters name them") {
    const Model model = tiny_bert().build();
    CHECK(names(model.graph, model.graph.main.inputs) ==
          "input_ids,batch,sequence attention_mask,batch,sequence token_type_ids,batch,sequence");
    struct Row {
      TinyCheckpoint tiny;
      std::string expected;
    };
    for (const auto& [tiny, expected] :
         {Row{tiny_bert(), kFeatures}, Row{without(tiny_bert(), "pooler"), "last_hidden_state,batch,sequence,4"},
          Row{with_masked_lm(), "logits,batch,sequence,10"},
          Row{with_masked_lm().configure("BertForMaskedLM", "BertForPreTraining"), "logits,batch,sequence,10"},
          Row{with_classifier("BertForSequenceClassification"), "logits,batch,3"},
          Row{with_classifier("BertForTokenClassification"), "logits,batch,sequence,3"}}) {
      CAPTURE(tiny.config);
      CHECK(outputs(tiny) == expected);
    }
  }

  TEST_CASE("old files spell names otherwise, or carry more than the model") {
    CHECK(outputs(tiny_bert().rename("bert.", "")) == kFeatures);
    CHECK(
        outputs(tiny_bert().rename("LayerNorm.weight", "LayerNorm.gamma").rename("LayerNorm.bias", "LayerNorm.beta")) ==
        kFeatures);
    TinyCheckpoint extra = with_masked_lm();
    extra.shapes.insert({{"bert.embeddings.position_ids", {1, 8}},
                         {"cls.seq_relationship.weight", {2, 4}},
                         {"cls.predictions.decoder.bias", {10}},
                         {"fit_dense.weight", {5, 4}}});
    const Model model = extra.build();
    CHECK(model.checkpoint->unused ==
          std::vector<std::string>{"bert.embeddings.position_ids", "bert.pooler.dense.bias", "bert.pooler.dense.weight",
                                   "cls.predictions.decoder.bias", "cls.seq_relationship.weight", "fit_dense.weight"});
  }

  TEST_CASE("a configuration without a family or a head is completed from the names of tensors") {
    const std::string type = R"("model_type": "bert", )";
    CHECK(outputs(tiny_bert().configure(type, "").configure(R"("architectures": ["BertModel"],)", "")) == kFeatures);
    CHECK(outputs(with_masked_lm().configure(type, "").configure(R"("architectures": ["BertForMaskedLM"],)", "")) ==
          "logits,batch,sequence,10");
  }

  TEST_CASE("a family whose tensors are called as BERT's is told by those that BERT has not") {
    const Model model = tiny_electra().build();
    CHECK(model.checkpoint->family == "electra");
    CHECK(outputs(tiny_electra()) == "logits,batch,sequence");
  }

  TEST_CASE("layers of a group share their weights") {
    const Graph graph = tiny_albert().build().graph;
    CHECK(uses(graph, "albert.encoder.albert_layer_groups.0.albert_layers.0.ffn.weight") == 2);
    CHECK(uses(graph, "albert.encoder.albert_layer_groups.1.albert_layers.0.ffn.weight") == 1);
    CHECK(tiny_albert().configure(R"("num_hidden_groups": 2)", R"("num_hidden_groups": 4)").complaint() ==
          "config.json: num_hidden_groups is 4 and inner_group_num 1, too many for 3 layers");
  }

  TEST_CASE("a masked model's head is the table of words") {
    CHECK(last_weight(with_masked_lm()) == "bert.embeddings.word_embeddings.weight");
    TinyCheckpoint untied =
        with_masked_lm().configure(R"("vocab_size")", R"("tie_word_embeddings": false, "vocab_size")");
    CHECK(untied.complaint() == "tensors are missing: cls.predictions.decoder.weight");
    untied.shapes["cls.predictions.decoder.weight"] = {10, 4};
    CHECK(last_weight(untied) == "cls.predictions.decoder.weight");
  }

  TEST_CASE("what contradicts or is not known is an error that says so") {
    struct Row {
      TinyCheckpoint tiny;
      std::string expected;
    };
    TinyCheckpoint extra = tiny_bert();
    extra.shapes["bert.encoder.layer.1.output.dense.bias"] = {4};
    for (const auto& [tiny, expected] :
         {Row{tiny_bert().configure(R"("hidden_size": 4)", R"("hidden_size": 6)"),
              "config.json: tensor bert.embeddings.word_embeddings.weight has shape [10,4], expected [10,6] by "
              "vocab_size, hidden_size"},
          Row{tiny_bert().configure(R"("num_attention_heads": 2)", R"("num_attention_heads": 3)"),
              "config.json: hidden_size is 4, expected a multiple of the 3 attention heads"},
          Row{tiny_bert().configure("BertModel", "BertForMultipleChoice"),
              "config.json: architectures: 'BertForMultipleChoice' is none of family bert's that this version knows: "
              "BertForMaskedLM, BertForPreTraining, BertForSequenceClassification, BertForTokenClassification, "
              "BertModel"},
          Row{tiny_bert().configure(R"("vocab_size")", R"("position_embedding_type": "relative_key", "vocab_size")"),
              "config.json: position_embedding_type is 'relative_key', expected 'absolute'"},
          Row{without(tiny_bert(), "self.key"),
              "tensors are missing: bert.encoder.layer.0.attention.self.key.bias, "
              "bert.encoder.layer.0.attention.self.key.weight"},
          Row{extra, "tensors belong to no part of the model: bert.encoder.layer.1.output.dense.bias"},
          Row{without(with_classifier("BertForSequenceClassification"), "pooler"),
              "tensors are missing: bert.pooler.dense.bias, bert.pooler.dense.weight"}}) {
      CHECK(tiny.complaint() == expected);
    }
  }
}

}  // namespace terse::architectures

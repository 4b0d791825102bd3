#include "formats/architectures/encoder_decoder.h"

#include <fmt/format.h>

#include <algorithm>

#include "formats/architectures/relative_bias.h"
#include "tests/formats/architectures/tiny_checkpoint.h"

namespace terse::architectures {
namespace {

using Sees = RelativeBiasTraits::Sees;

/// One layer a stack of 4 columns for 10 words, attention 6 wide.
TinyCheckpoint tiny_t5() {
  TinyCheckpoint tiny{.config = R"({"model_type": "t5", "architectures": ["T5ForConditionalGeneration"],
                                    "vocab_size": 10, "d_model": 4, "d_kv": 3, "d_ff": 8, "num_heads": 2,
                                    "num_layers": 1, "relative_attention_num_buckets": 8})",
                      .shapes = {{"shared.weight", {10, 4}}}};
  for (const std::string stack : {"encoder", "decoder"}) {
    const std::string block = stack + ".block.0.layer.";
    const int layers = stack == "encoder" ? 2 : 3;
    for (int layer = 0; layer < layers; ++layer) {
      const std::string at = fmt::format("{}{}.", block, layer);
      tiny.shapes[at + "layer_norm.weight"] = {4};
      if (layer == layers - 1) {
        tiny.shapes[at + "DenseReluDense.wi.weight"] = {8, 4};
        tiny.shapes[at + "DenseReluDense.wo.weight"] = {4, 8};
        continue;
      }
      for (const std::string linear : {"q", "k", "v", "o"}) {
        const std::string attention = layer == 0 ? "SelfAttention." : "EncDecAttention.";
        tiny.shapes[fmt::format("{}{}{}.weight", at, attention, linear)] = linear == "o" ? Shape{4, 6} : Shape{6, 4};
      }
    }
    tiny.shapes[block + "0.SelfAttention.relative_attention_bias.weight"] = {8, 2};
    tiny.shapes[stack + ".final_layer_norm.weight"] = {4};
  }
  return tiny;
}

int64_t count(const Graph& graph, std::string_view op) {
  return std::ranges::count(graph.main.nodes, op, &Node::op_type);
}

/// What stands in front of the head.
std::string before_head(const TinyCheckpoint& tiny) {
  const Graph graph = tiny.build().graph;
  const Dataflow flow(graph);
  return flow.producer(graph.main.nodes.back().inputs[0])->op_type;
}

constexpr auto kVocabulary = R"("vocab_size")";

}  // namespace

TEST_SUITE("formats/architectures/encoder_decoder") {
  TEST_CASE("inputs and outputs are named as transformers' exporters name them") {
    const Graph graph = tiny_t5().build().graph;
    CHECK(names(graph, graph.main.inputs) ==
          "input_ids,batch,sequence attention_mask,batch,sequence decoder_input_ids,batch,decoder_sequence");
    CHECK(names(graph, graph.main.outputs) == "logits,batch,decoder_sequence,10");
    CHECK(count(graph, "Attention") == 3);
  }

  TEST_CASE("the encoder alone gives its last hidden state") {
    TinyCheckpoint tiny = tiny_t5();
    std::erase_if(tiny.shapes, [](const auto& entry) { return entry.first.starts_with("decoder."); });
    for (const char* architectures : {R"("architectures": ["T5EncoderModel"],)", ""}) {
      CAPTURE(architectures);
      TinyCheckpoint encoder = tiny;
      encoder.configure(R"("architectures": ["T5ForConditionalGeneration"],)", architectures);
      const Graph graph = encoder.build().graph;
      CHECK(names(graph, graph.main.inputs) == "input_ids,batch,sequence attention_mask,batch,sequence");
      CHECK(names(graph, graph.main.outputs) == "last_hidden_state,batch,sequence,4");
    }
  }

  TEST_CASE("what the head reads is scaled as either dialect of the configuration says") {
    struct Row {
      std::string settings, expected;
    };
    for (const auto& [settings, expected] :
         {Row{"", "Mul"}, Row{R"("scale_decoder_outputs": true)", "Mul"},
          Row{R"("scale_decoder_outputs": false)", "RMSNormalization"},
          Row{R"("tie_word_embeddings": false)", "RMSNormalization"},
          Row{R"("tie_word_embeddings": false, "scale_decoder_outputs": true)", "Mul"}}) {
      CAPTURE(settings);
      TinyCheckpoint tiny = tiny_t5().configure(kVocabulary, settings + (settings.empty() ? "" : ", ") + kVocabulary);
      tiny.shapes["lm_head.weight"] = {10, 4};
      CHECK(before_head(tiny) == expected);
    }
  }

  TEST_CASE("version 1.1 gates its feed-forward with the tanh form of gelu") {
    TinyCheckpoint tiny = tiny_t5().configure(kVocabulary, R"("feed_forward_proj": "gated-gelu", "vocab_size")");
    CHECK(tiny.complaint().find("DenseReluDense.wi_0.weight, ") != std::string::npos);
    tiny.rename("DenseReluDense.wi.", "DenseReluDense.wi_0.");
    tiny.shapes["encoder.block.0.layer.1.DenseReluDense.wi_1.weight"] = {8, 4};
    tiny.shapes["decoder.block.0.layer.2.DenseReluDense.wi_1.weight"] = {8, 4};
    const Graph graph = tiny.build().graph;
    const auto gelu = std::ranges::find(graph.main.nodes, "Gelu", &Node::op_type);
    REQUIRE(gelu != graph.main.nodes.end());
    CHECK(gelu->get_string("approximate", "") == "tanh");
  }

  TEST_CASE("files of the first version carry copies of the table and a bias that nothing reads") {
    TinyCheckpoint tiny = tiny_t5();
    tiny.shapes["encoder.embed_tokens.weight"] = tiny.shapes["decoder.embed_tokens.weight"] = {10, 4};
    tiny.shapes["decoder.block.0.layer.1.EncDecAttention.relative_attention_bias.weight"] = {8, 2};
    CHECK(tiny.complaint() == "");
    CHECK(tiny.build().checkpoint->unused.size() == 3);
  }

  TEST_CASE("distances fall into the buckets of transformers") {
    // T5Attention._relative_position_bucket of transformers 5: the sum of bucket * index over all places.
    struct Row {
      int64_t buckets, greatest, both_sides, past;
    };
    for (const Row& row :
         {Row{32, 128, 807680, 164169}, Row{64, 256, 6514176, 1324752}, Row{32, 512, 13385728, 3198101},
          Row{16, 1024, 26572800, 6814900}, Row{128, 1024, 214140928, 48162566}, Row{32, 20, 17160, 1360},
          Row{12, 100, 181700, 41283}}) {
      CAPTURE(row.buckets);
      CAPTURE(row.greatest);
      for (const auto& [sees, expected] :
           {std::pair(Sees::both_sides, row.both_sides), std::pair(Sees::past, row.past)}) {
        const auto buckets = distance_buckets(
            {.buckets = {row.buckets, ""}, .heads = {}, .greatest_distance = row.greatest, .sees = sees});
        int64_t sum = 0;
        for (size_t i = 0; i < buckets.size(); ++i) {
          sum += buckets[i] * static_cast<int64_t>(i);
        }
        CHECK(sum == expected);
      }
    }
  }

  TEST_CASE("relative positions that no bucket can hold are an error") {
    CHECK(tiny_t5().configure("num_buckets\": 8", "num_buckets\": 2").complaint() ==
          "config.json: relative_attention_num_buckets is 2, expected at least 4");
    CHECK(tiny_t5().configure(kVocabulary, R"("relative_attention_max_distance": 2, "vocab_size")").complaint() ==
          "config.json: relative positions reach as far as 2, expected more than 2 and at most 65536");
  }
}

}  // namespace terse::architectures

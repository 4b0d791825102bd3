#include "formats/gguf/stripping.h"

#include <doctest/doctest.h>

#include "formats/gguf/tokenizer_keys.h"

namespace terse::gguf {
namespace {

using AddedToken = Vocabulary::AddedToken;

Metadata named(const std::string& name, std::vector<std::string> tokens = {"<unk>", "<s>", "</s>", "<|endoftext|>"}) {
  Metadata metadata;
  metadata.set("general.name", name);
  metadata.set(kTokensKey, MetadataArray{std::move(tokens)});
  return metadata;
}

/// As Phi-3's own.
Vocabulary phi3() {
  Vocabulary vocabulary;
  vocabulary.added = {{.id = 1, .content = "<s>", .special = true},
                      {.id = 2, .content = "</s>", .rstrip = true},
                      {.id = 3, .content = "<|user|>", .rstrip = true, .special = true}};
  return vocabulary;
}

std::string notes(const Vocabulary& vocabulary, const Metadata& metadata) {
  const auto all = stripping_notes(vocabulary, metadata);
  return all.empty() ? "" : all.front();
}

TEST_SUITE("formats/gguf/stripping") {
  TEST_CASE("a model called Phi-3 has its tokens' white space") {
    for (const char* name : {"Phi-3-mini-4k-instruct", "my phi3", "PHI-3"}) {
      CAPTURE(name);
      Vocabulary read = phi3();
      for (AddedToken& token : read.added) {
        token.rstrip = false;
      }
      set_stripping(named(name), read);
      for (size_t i = 0; i < read.added.size(); ++i) {
        CHECK(read.added[i].rstrip == phi3().added[i].rstrip);
      }
      CHECK(notes(phi3(), named(name)) == "");
    }
  }

  TEST_CASE("other models lose it, and it is said what helps") {
    CHECK(notes(phi3(), named("mini")).starts_with("2 tokens such as '</s>'"));
    CHECK(notes(phi3(), named("mini")).find("phi-3 in their name") != std::string::npos);
    CHECK(notes(phi3(), named("mini", {"</s>"})).find("phi-3") == std::string::npos);
  }

  TEST_CASE("what no name stands for is lost under each") {
    for (const char* name : {"mini", "phi3"}) {
      for (const AddedToken& token : {AddedToken{.content = "<mask>", .lstrip = true, .rstrip = true},
                                      AddedToken{.content = "word", .single_word = true, .rstrip = true}}) {
        CAPTURE(name);
        CAPTURE(token.content);
        Vocabulary vocabulary;
        vocabulary.added = {token};
        CHECK(notes(vocabulary, named(name)).starts_with("1 tokens such as '" + token.content + "'"));
        CHECK(notes(vocabulary, named(name)).find("phi-3") == std::string::npos);
      }
    }
    Vocabulary plain;
    plain.added = {{.content = "<x>"}};
    CHECK(notes(plain, named("mini")) == "");
    CHECK(notes(plain, named("phi3")) != "");  // llama.cpp drops white space that the tokenizer keeps
  }

  TEST_CASE("names that llama.cpp would look for tokens by are changed where these lack") {
    struct Case {
      std::string name, expected;
    };
    for (const auto& [name, expected] :
         {Case{"phi3", "phi_3"}, Case{"a Phi-3 PHI3", "a Phi_3 PHI_3"}, Case{"x", "x"}}) {
      CAPTURE(name);
      Metadata metadata = named(name, {"<s>"}), complete = named(name);
      avoid_missing_tokens(metadata);
      avoid_missing_tokens(complete);
      CHECK(metadata.find_string("general.name") == expected);
      CHECK(complete.find_string("general.name") == name);
    }
  }
}

}  // namespace
}  // namespace terse::gguf

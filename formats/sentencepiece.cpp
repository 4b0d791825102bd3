#include "formats/sentencepiece.h"

#include <cmath>
#include <cstring>
#include <unordered_set>

#include "formats/error.h"
#include "formats/onnx/wire.h"

namespace terse {
namespace {

// Source: sentencepiece_model.proto. Numbers of fields, and in the comments their names.

using Bytes = std::span<const std::byte>;
using Token = Vocabulary::Token;

std::string text_of(Bytes bytes) { return {reinterpret_cast<const char*>(bytes.data()), bytes.size()}; }

void expect(const wire::Field& field, wire::Type type, std::string_view message) {
  if (field.type != type) {
    throw Error(Kind::input, "field {} of {} has wire type {}, expected {}", field.number, message,
                static_cast<int>(field.type), static_cast<int>(type));
  }
}

float float_of(const wire::Field& field) {
  float value = 0;
  std::memcpy(&value, field.record.last(sizeof(value)).data(), sizeof(value));
  return value;
}

Token::Kind kind_of(uint64_t type) {
  switch (type) {
    case 1:
      return Token::Kind::normal;
    case 2:
      return Token::Kind::unknown;
    case 3:
      return Token::Kind::control;
    case 4:
      return Token::Kind::user_defined;
    case 5:
      return Token::Kind::unused;
    case 6:
      return Token::Kind::byte;
    default:
      throw Error(Kind::input, "a piece has type {}, expected 1 to 6", type);
  }
}

Token read_piece(Bytes message) {
  Token token;
  wire::Cursor cursor(message);
  while (const auto field = cursor.next()) {
    if (field->number == 1) {  // piece
      expect(*field, wire::Type::length_delimited, "a piece");
      token.text = text_of(field->payload);
    } else if (field->number == 2) {  // score
      expect(*field, wire::Type::fixed32, "a piece");
      token.score = float_of(*field);
    } else if (field->number == 3) {  // type
      expect(*field, wire::Type::varint, "a piece");
      token.kind = kind_of(field->varint);
    }
  }
  return token;
}

TokenizerModel model_of(uint64_t type) {
  switch (type) {
    case 1:
      return TokenizerModel::sentencepiece_unigram;
    case 2:
      return TokenizerModel::sentencepiece_bpe;
    default:
      throw Error(Kind::unsupported, "terse does not know SentencePiece's model type {}, only 1 (unigram) and 2 (BPE)",
                  type);
  }
}

void read_trainer(Bytes message, normalizers::SentencePiece& normalizer, Vocabulary& out) {
  wire::Cursor cursor(message);
  while (const auto field = cursor.next()) {
    if (field->number == 3) {  // model_type
      out.model = model_of(field->varint);
    } else if (field->number == 24) {  // treat_whitespace_as_suffix
      normalizer.whitespace_as_suffix = field->varint != 0;
    } else if (field->number == 35) {  // byte_fallback
      out.byte_fallback = field->varint != 0;
    } else if (field->number == 44) {  // unk_surface
      expect(*field, wire::Type::length_delimited, "the trainer");
      out.unknown_surface = text_of(field->payload);
    }
  }
}

void read_normalizer(Bytes message, normalizers::SentencePiece& normalizer) {
  wire::Cursor cursor(message);
  while (const auto field = cursor.next()) {
    if (field->number == 2) {  // precompiled_charsmap
      expect(*field, wire::Type::length_delimited, "the normalizer");
      normalizer.charsmap = text_of(field->payload);
    } else if (field->number == 3) {  // add_dummy_prefix
      normalizer.add_dummy_prefix = field->varint != 0;
    } else if (field->number == 4) {  // remove_extra_whitespaces
      normalizer.remove_extra_whitespaces = field->varint != 0;
    } else if (field->number == 5) {  // escape_whitespaces
      normalizer.escape_whitespaces = field->varint != 0;
    }
  }
}

void check_pieces(Vocabulary& out) {
  std::unordered_set<std::string_view> texts;
  for (size_t id = 0; id < out.tokens.size(); ++id) {
    const Token& token = out.tokens[id];
    if (token.text.empty() || !texts.insert(token.text).second) {
      throw Error(Kind::input, "piece {} is '{}', expected a text that no other piece has", id, token.text);
    }
    if (!std::isfinite(token.score)) {
      throw Error(Kind::input, "piece {} '{}' has the score {}", id, token.text, token.score);
    }
    if (token.kind == Token::Kind::unknown) {
      if (out.unknown) {
        throw Error(Kind::input, "pieces {} and {} are both the unknown one", *out.unknown, id);
      }
      out.unknown = static_cast<int32_t>(id);
    }
  }
  if (!out.unknown) {
    throw Error(Kind::input, "none of {} pieces is the unknown one", out.tokens.size());
  }
}

}  // namespace

Vocabulary read_sentencepiece(Bytes bytes) {
  Vocabulary out{.model = TokenizerModel::sentencepiece_unigram, .unknown_surface = " \u2047 "};
  normalizers::SentencePiece normalizer;
  wire::Cursor cursor(bytes);
  while (const auto field = cursor.next()) {
    if (field->number > 3) {
      continue;
    }
    expect(*field, wire::Type::length_delimited, "the model");
    if (field->number == 1) {  // pieces
      if (out.tokens.size() == static_cast<size_t>(kMostTokens)) {
        throw Error(Kind::input, "more than {} pieces", kMostTokens);
      }
      out.tokens.push_back(read_piece(field->payload));
    } else if (field->number == 2) {  // trainer_spec
      read_trainer(field->payload, normalizer, out);
    } else {  // normalizer_spec
      read_normalizer(field->payload, normalizer);
    }
  }
  check_pieces(out);
  out.normalizers.emplace_back(std::move(normalizer));
  return out;
}

}  // namespace terse

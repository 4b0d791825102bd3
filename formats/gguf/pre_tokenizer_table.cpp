#include "formats/gguf/pre_tokenizer_table.h"

namespace terse::gguf {
namespace {

constexpr CutStep split(std::string_view pattern) { return {CutStep::Kind::split, pattern}; }
constexpr CutStep kDigits{CutStep::Kind::digits, {}};
constexpr CutStep kDigitRuns{CutStep::Kind::digit_runs, {}};
constexpr CutStep kPunctuationRuns{CutStep::Kind::punctuation_runs, {}};
constexpr CutStep kBytesGpt2{CutStep::Kind::bytes_gpt2, {}};

// The patterns that checkpoints' tokenizer.json files have, in Oniguruma's syntax. llama.cpp spells some of them in
// another way (without (?i:...) and with ranges of ASCII letters for classes of letters). Source: the tokenizers of the
// models that the names stand for; src/llama-vocab.cpp.

constexpr CutSteps kGpt2Steps = {kBytesGpt2};
constexpr CutSteps kDigitsGpt2 = {kDigits, kBytesGpt2};
constexpr CutSteps kFalcon = {kPunctuationRuns, kBytesGpt2, kDigitRuns, split("[0-9][0-9][0-9]")};
// What llama.cpp does for files that say nothing: Falcon's way, but digits are looked for before bytes are.
constexpr CutSteps kDefault = {kPunctuationRuns, split(kGpt2Pattern), kDigitRuns, split("[0-9][0-9][0-9]")};
constexpr CutSteps kLlama3 = {split(
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)")};
constexpr CutSteps kQwen2 = {split(
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)")};
constexpr CutSteps kQwen35 = {split(
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+|\p{N}| ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)")};
constexpr CutSteps kTekken = {split(
    R"([^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+)")};
constexpr std::string_view kO200k =
    R"([^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
constexpr CutSteps kGpt4o = {split(kO200k)};
constexpr CutSteps kTinyAya = {split(R"(\d{1,3}(?=(?:\d{3})*\b))"), split(kO200k)};
constexpr CutSteps kKimi = {split(
    R"([\p{Han}]+|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}&&[^\p{Han}]]*[\p{Ll}\p{Lm}\p{Lo}\p{M}&&[^\p{Han}]]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}&&[^\p{Han}]]+[\p{Ll}\p{Lm}\p{Lo}\p{M}&&[^\p{Han}]]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)")};
constexpr CutStep kCjkRuns = split("[一-龥぀-ゟ゠-ヿ]+");
constexpr CutSteps kDeepSeekV3 = {
    split(R"(\p{N}{1,3})"), kCjkRuns,
    split(
        R"([!"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+| ?[\p{P}\p{S}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)")};
constexpr CutSteps kSpark = {
    split(R"(\p{N}{1,3})"), kCjkRuns,
    split(
        R"([!"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+| ?[\p{P}\p{S}]+|[\r\n]|\s+(?!\S)|\s+)"),
    kDigits};
constexpr CutStep kDeepSeekCjk = split("[一-龥ࠀ-一가-퟿]+");
constexpr CutSteps kDeepSeekCoder = {split(R"([\r\n])"), split(R"(\s?\p{L}+)"), split(R"(\s?\p{P}+)"), kDeepSeekCjk,
                                     kDigits};
constexpr CutStep kDeepSeekLetters = split(
    "\\s?[A-Za-zµÀ-ÖØ-öø-ƺƼ-ƿǄ-ʓʕ-ʯͰ-ͳͶͷͻ-ͽͿΆΈ-ΊΌΎ-ΡΣ-ϵϷ-ҁҊ-ԯԱ-ՖႠ-ჅᎠ-Ᏽᏸ-ᏽᲐ-ᲺᲽ-Ჿᴀ-ᴫᵫ-ᵷᵹ-ᶚḀ-ἕἘ-Ἕἠ-ὅὈ-Ὅὐ-ὗὙὛὝὟ-ώᾀ-ᾴᾶ-ᾼιῂ-"
    "ῄῆ-ῌῐ-ΐῖ-Ίῠ-Ῥῲ-ῴῶ-ῼℂℇℊ-ℓℕℙ-ℝℤΩℨK-ℭℯ-ℴℹℼ-ℿⅅ-ⅉⅎↃↄⰀ-ⱻⱾ-ⳤⳫ-ⳮⳲⳳꙀ-ꙭꚀ-ꚛꜢ-ꝯꝱ-ꞇꞋ-ꞎꭰ-ꮿﬀ-ﬆﬓ-ﬗＡ-Ｚａ-ｚ𐐀-𐑏𐒰-𐓓𐓘-𐓻𐲀-𐲲𐳀-𐳲𑢠-𑣟𞤀-𞥃]"
    "+");
constexpr CutStep kDeepSeekPunctuation = split("\\s?[!-/:-~！-／：-～‘-‟　-。]+");
constexpr CutSteps kDeepSeekLlm = {split(R"([\r\n])"), kDeepSeekLetters, kDeepSeekPunctuation,
                                   split(R"(\s+$)"),   kDeepSeekCjk,     kDigitRuns};
constexpr CutSteps kDeepSeekLlmDigits = {split(R"([\r\n])"), kDeepSeekLetters, kDeepSeekPunctuation,
                                         split(R"(\s+$)"),   kDeepSeekCjk,     kDigits};
constexpr CutStep kYoutuEastAsian =
    split("[가-힣ㄱ-ㆎ]+|[！…“”‘’—：；，、-〿︰-﹏]+|[ㄅ-ㄯ]+|[一-龥぀-ゟ゠-ヿ]+");
constexpr CutSteps kYoutu = {
    kYoutuEastAsian,
    split(
        R"([^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+)")};
constexpr CutStep kBloomWords = split(" ?[^(\\s|.,!?…。，、।۔،)]+");
constexpr CutSteps kBloom = {kBloomWords};
constexpr CutSteps kBloomNested = {split(" ?[^(\\s|[.,!?…。，、।۔،])]+")};  // as BLOOM's file has it; it means the same
constexpr CutSteps kViking = {kBloomWords, kDigits};
constexpr CutSteps kVikingNested = {split(" ?[^(\\s|[.,!?…。，、।۔،])]+"), kDigits};
constexpr CutSteps kBailingMoe = {split(
    R"('(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]++[\r\n]*|\s*[\r\n]|\s+(?!\S)|\s+)")};
constexpr CutSteps kSeedCoder = {split(
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1}| ?[^\s\p{L}\p{N}\r\n]+|\s*[\r\n]+|\s+(?!\S)|\s+)")};
constexpr CutSteps kJais2 = {split(
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s{512}(?!\S)|\s{256}(?!\S)|\s{128}(?!\S)|\s{64}(?!\S)|\s{32}(?!\S)|\s{16}(?!\S)|\s{8}(?!\S)|\s{4}(?!\S)|\s{1,2}(?!\S)|\s{1})")};
constexpr CutSteps kExaoneMoe = {split(
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?(?:\p{L}\p{M}*(?: \p{L}\p{M}*)*)+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]?|\s*[\r\n]|\s+(?!\S)|\s+)")};
constexpr CutSteps kMiniCpm5 = {
    split(R"(\p{N}{1,3})"),
    split(
        R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}+| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)")};
constexpr CutSteps kLaguna = {split(R"([^\n]+|[\n]+)"), kQwen2[0]};
constexpr CutSteps kUfakzeka = {
    split(R"([^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)")};
constexpr CutSteps kSuperBpe = {kDigitRuns, split(R"((?=(\d{3})+(?!\d)))")};
constexpr CutSteps kChameleon = {split("<sentinel:[0-9]+>"),       split("(IMGIMG)((A|B|C|D|E|F|G|H|I){1,4})Z"),
                                 split(R"(([\t\n]|    |  ))"),     kDigits,
                                 split(R"([\p{P}!-/:-@\[-`{-~])"), kBytesGpt2};
constexpr CutSteps kWhole = {};

constexpr std::array kRows = {
    PreTokenizerRow{.name = "gpt-2", .steps = kGpt2Steps},
    PreTokenizerRow{.name = "olmo", .steps = kGpt2Steps, .nfc = true},
    PreTokenizerRow{.name = "mpt", .steps = kGpt2Steps, .nfc = true},
    PreTokenizerRow{.name = "modern-bert", .steps = kGpt2Steps, .nfc = true},
    PreTokenizerRow{.name = "phi-2", .steps = kGpt2Steps},
    PreTokenizerRow{.name = "jais", .steps = kGpt2Steps},
    PreTokenizerRow{.name = "jina-es", .steps = kGpt2Steps},
    PreTokenizerRow{.name = "jina-de", .steps = kGpt2Steps},
    PreTokenizerRow{.name = "jina-v1-en", .steps = kGpt2Steps},
    PreTokenizerRow{.name = "jina-v2-es", .steps = kGpt2Steps},
    PreTokenizerRow{.name = "jina-v2-de", .steps = kGpt2Steps},
    PreTokenizerRow{.name = "jina-v2-code", .steps = kGpt2Steps},
    PreTokenizerRow{.name = "roberta-bpe", .steps = kGpt2Steps},
    PreTokenizerRow{.name = "gigachat", .steps = kGpt2Steps},
    PreTokenizerRow{.name = "a.x-4.0", .steps = kGpt2Steps},
    PreTokenizerRow{.name = "mellum", .steps = kGpt2Steps},
    PreTokenizerRow{.name = "exaone4", .steps = kGpt2Steps},
    PreTokenizerRow{.name = "trillion", .steps = kGpt2Steps},
    PreTokenizerRow{.name = "granite-docling", .steps = kGpt2Steps},
    PreTokenizerRow{.name = "smollm", .steps = kDigitsGpt2},
    PreTokenizerRow{.name = "command-r", .steps = kDigitsGpt2, .nfc = true},
    PreTokenizerRow{.name = "starcoder", .steps = kDigitsGpt2},
    PreTokenizerRow{.name = "refact", .steps = kDigitsGpt2},
    PreTokenizerRow{.name = "codeshell", .steps = kDigitsGpt2},
    PreTokenizerRow{.name = "exaone", .steps = kDigitsGpt2},
    PreTokenizerRow{.name = "minerva-7b", .steps = kDigitsGpt2},
    PreTokenizerRow{.name = "mellum2", .steps = kDigitsGpt2},
    PreTokenizerRow{.name = "llama-bpe", .steps = kLlama3, .ignore_merges = true, .adds_bos = true},
    PreTokenizerRow{.name = "dbrx", .steps = kLlama3},
    PreTokenizerRow{.name = "llama3", .steps = kLlama3, .ignore_merges = true, .adds_bos = true},
    PreTokenizerRow{.name = "llama-v3", .steps = kLlama3, .ignore_merges = true, .adds_bos = true},
    PreTokenizerRow{.name = "falcon3", .steps = kLlama3, .ignore_merges = true, .adds_bos = true},
    PreTokenizerRow{.name = "falcon-h1", .steps = kLlama3, .ignore_merges = true, .adds_bos = true},
    PreTokenizerRow{.name = "pixtral", .steps = kLlama3, .ignore_merges = true, .adds_bos = true},
    PreTokenizerRow{.name = "midm-2.0", .steps = kLlama3, .ignore_merges = true, .adds_bos = true},
    PreTokenizerRow{.name = "lfm2", .steps = kLlama3, .ignore_merges = true, .adds_bos = true},
    PreTokenizerRow{.name = "jina-v5-nano", .steps = kLlama3, .ignore_merges = true, .adds_bos = true},
    PreTokenizerRow{.name = "glm4", .steps = kLlama3, .ignore_merges = true},
    PreTokenizerRow{.name = "glm5", .steps = kLlama3, .ignore_merges = true},
    PreTokenizerRow{.name = "chatglm-bpe", .steps = kLlama3},
    PreTokenizerRow{.name = "smaug-bpe", .steps = kLlama3},
    PreTokenizerRow{.name = "qwen2", .steps = kQwen2, .nfc = true},
    PreTokenizerRow{.name = "stablelm2", .steps = kQwen2},
    PreTokenizerRow{.name = "deepseek-r1-qwen", .steps = kQwen2, .nfc = true},
    PreTokenizerRow{.name = "megrez", .steps = kQwen2, .nfc = true},
    PreTokenizerRow{.name = "kormo", .steps = kQwen2},
    PreTokenizerRow{.name = "f2llmv2", .steps = kQwen2, .nfc = true},
    PreTokenizerRow{.name = "hunyuan", .steps = kQwen2},
    PreTokenizerRow{.name = "solar-open", .steps = kQwen2},
    PreTokenizerRow{.name = "grok-2", .steps = kQwen2},
    PreTokenizerRow{.name = "qwen35", .steps = kQwen35, .nfc = true},
    PreTokenizerRow{.name = "tekken", .steps = kTekken, .ignore_merges = true, .adds_bos = true},
    PreTokenizerRow{.name = "gpt-4o", .steps = kGpt4o},
    PreTokenizerRow{.name = "granite-embed-multi-97m", .steps = kGpt4o, .ignore_merges = true},
    PreTokenizerRow{.name = "llama4", .steps = kGpt4o},
    PreTokenizerRow{.name = "kanana2", .steps = kGpt4o},
    PreTokenizerRow{.name = "talkie", .steps = kGpt4o},
    PreTokenizerRow{.name = "minimax-m2", .steps = kGpt4o},
    PreTokenizerRow{.name = "tiny_aya", .steps = kTinyAya},
    PreTokenizerRow{.name = "cohere2moe", .steps = kTinyAya},
    PreTokenizerRow{.name = "kimi-k2", .steps = kKimi},
    PreTokenizerRow{.name = "deepseek-v3", .steps = kDeepSeekV3},
    PreTokenizerRow{.name = "hunyuan-dense", .steps = kDeepSeekV3},
    PreTokenizerRow{.name = "joyai-llm", .steps = kDeepSeekV3},
    PreTokenizerRow{.name = "hy_v4", .steps = kDeepSeekV3},
    PreTokenizerRow{.name = "spark2_5", .steps = kSpark},
    PreTokenizerRow{.name = "deepseek-coder", .steps = kDeepSeekCoder},
    PreTokenizerRow{.name = "deepseek-llm", .steps = kDeepSeekLlm},
    PreTokenizerRow{.name = "deepseek-llm", .steps = kDeepSeekLlmDigits},
    PreTokenizerRow{.name = "youtu", .steps = kYoutu, .ignore_merges = true},
    PreTokenizerRow{.name = "falcon", .steps = kFalcon},
    PreTokenizerRow{.name = "default", .steps = kDefault},
    PreTokenizerRow{.name = "bloom", .steps = kBloom},
    PreTokenizerRow{.name = "bloom", .steps = kBloomNested},
    PreTokenizerRow{.name = "poro-chat", .steps = kBloom},
    PreTokenizerRow{.name = "gpt3-finnish", .steps = kBloom},
    PreTokenizerRow{.name = "viking", .steps = kViking},
    PreTokenizerRow{.name = "viking", .steps = kVikingNested},
    PreTokenizerRow{.name = "bailingmoe", .steps = kBailingMoe},
    PreTokenizerRow{.name = "bailingmoe2", .steps = kBailingMoe},
    PreTokenizerRow{.name = "llada-moe", .steps = kBailingMoe},
    PreTokenizerRow{.name = "seed-coder", .steps = kSeedCoder},
    PreTokenizerRow{.name = "jais-2", .steps = kJais2},
    PreTokenizerRow{.name = "exaone-moe", .steps = kExaoneMoe},
    PreTokenizerRow{.name = "minicpm5", .steps = kMiniCpm5, .ignore_merges = true},
    PreTokenizerRow{.name = "laguna", .steps = kLaguna},
    PreTokenizerRow{.name = "ufakzeka", .steps = kUfakzeka},
    PreTokenizerRow{.name = "superbpe", .steps = kSuperBpe},
    PreTokenizerRow{.name = "chameleon", .steps = kChameleon, .adds_bos = true},
    PreTokenizerRow{.name = "gemma4", .steps = kWhole, .adds_bos = true, .byte_level = false},
    PreTokenizerRow{.name = "granite-embed-multi-311m", .steps = kWhole, .adds_bos = true, .byte_level = false},
    PreTokenizerRow{.name = "sarvam-moe", .steps = kWhole, .byte_level = false},
};

}  // namespace

std::span<const PreTokenizerRow> pre_tokenizer_rows() { return kRows; }

}  // namespace terse::gguf

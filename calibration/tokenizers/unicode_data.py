"""Writes unicode_categories.cpp and character_sets.cpp: what Hugging Face's tokenizers, the judge of every id, thinks of each code point.

Its parts were built with different versions of Unicode (the patterns' engine with 16, the BERT normalizer with 8), so each set is read off the
library itself. Run with `tokenizers` 0.23 and Python 3.11, whose Unicode is 14 as PCRE2's:  python unicode_data.py
"""

import pathlib
import textwrap
import unicodedata

from tokenizers import Regex, normalizers, pre_tokenizers

HERE = pathlib.Path(__file__).resolve().parent
POINTS = [c for c in range(0x110000) if not 0xD800 <= c < 0xE000]
TEXT = "".join(map(chr, POINTS))
CATEGORIES = "Lu Ll Lt Lm Lo Mn Mc Me Nd Nl No Pc Pd Ps Pe Pi Pf Po Sm Sc Sk So Zs Zl Zp Cc Cf Co Cn".split()


def matches(pattern):
    """The code points that a pattern of one character matches."""
    return set(POINTS) - set(map(ord, normalizers.Replace(Regex(pattern), "").normalize_str(TEXT)))


def removed(normalizer):
    return {c for c in POINTS if normalizer.normalize_str(f"a{chr(c)}a") == "aa"}


def isolated(pre_tokenizer):
    return {c for c in POINTS if len(pre_tokenizer.pre_tokenize_str(f"a{chr(c)}a")) == 3}


def ranges(points):
    runs = []
    for point in sorted(points):
        if runs and runs[-1][1] == point - 1:
            runs[-1][1] = point
        else:
            runs.append([point, point])
    return runs


def array(type_name, constant, rows):
    wrapped = "\n".join(textwrap.wrap(", ".join(rows), 118))
    return f"// clang-format off\nconstexpr std::array<{type_name}, {len(rows)}> {constant} = {{{{\n{wrapped}\n}}}};\n// clang-format on\n\n"


def write(name, arrays, functions):
    (HERE / name).write_text(
        '// Written by unicode_data.py; do not edit.\n#include "calibration/tokenizers/characters.h"\n\n'
        "namespace terse::calibration::characters {\nnamespace {\n\n"
        f"{arrays}}}  // namespace\n\n{functions}\n}}  // namespace terse::calibration::characters\n"
    )


def categories():
    of = {}
    for category in CATEGORIES:
        of.update(dict.fromkeys(matches(rf"\p{{{category}}}"), category))
    of.update(dict.fromkeys(range(0xD800, 0xE000), "Cs"))
    runs = [(p, of[p]) for p in range(0x110000) if p == 0 or of[p] != of[p - 1]]
    rows = [f"{{{p:#x},{c}}}" for p, c in runs]
    write(
        "unicode_categories.cpp",
        "using enum Category;\n\n" + array("CategoryRun", "kRuns", rows),
        "std::span<const CategoryRun> category_runs() { return kRuns; }\n",
    )


def sets():
    table = {
        "punctuation": isolated(pre_tokenizers.Punctuation()),
        "nonspacing_marks": removed(normalizers.BertNormalizer(False, False, True, False)),
        "combining_marks": removed(normalizers.StripAccents()),
        "controls": removed(normalizers.BertNormalizer(True, False, False, False)),
        "numeric": isolated(pre_tokenizers.Digits()),
        "word": matches(r"\w"),
        "crate_word": {c for c in POINTS if len(pre_tokenizers.Whitespace().pre_tokenize_str(f"a{chr(c)}a")) == 1},
        "han": matches(r"\p{Han}"),
        "since_unicode_14": {c for c in POINTS if unicodedata.category(chr(c)) == "Cn"} - matches(r"\p{Cn}"),
    }
    arrays, functions = "", ""
    for name, points in table.items():
        constant = "k" + "".join(part.capitalize() for part in name.split("_"))
        arrays += array("Range", constant, [f"{{{a:#x},{b:#x}}}" for a, b in ranges(points)])
        functions += f"std::span<const Range> {name}() {{ return {constant}; }}\n"
    write("character_sets.cpp", arrays, functions)


if __name__ == "__main__":
    categories()
    sets()

"""llama.cpp's convert_hf_to_gguf.py for a folder whose tokenizer it has never seen.

    python llama_cpp_convert.py CONVERTER TOKENS_AS ARGUMENTS...

The converter finds a tokenizer's way of splitting text by a hash of what it makes of one text; TOKENS_AS is given instead.
"""

import runpy
import sys


def main(converter, tokens_as, *arguments):
    sys.path[0] = converter  # in place of this script's folder, whose llama_cpp.py is not the package
    from conversion.base import TextModel

    TextModel.get_vocab_base_pre = lambda self, tokenizer: tokens_as
    sys.argv = [f"{converter}/convert_hf_to_gguf.py", *arguments]
    runpy.run_path(sys.argv[0], run_name="__main__")


if __name__ == "__main__":
    main(*sys.argv[1:])

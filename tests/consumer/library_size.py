"""Prints the size of the stripped shared library (argument 1) and what each GPU architecture contributes, and fails if
the size exceeds 12 MB. Argument 2 is the build folder. In builds with tests, the device code is not compressed and
contains the PTX that the tests execute. The size is then computed for the device code of CMAKE_CUDA_ARCHITECTURES,
compressed as in builds without tests."""

import re
import struct
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

LIMIT = 12_000_000
# A fat binary and its entries, as fatbinary of CUDA 13.0 writes them. All entries of one begin at a multiple of 8 bytes.
MAGIC, HEADER = 0xBA55ED50, struct.Struct("<IHHQ")
ENTRY = struct.Struct("<HHIQIIHHI")
PTX = 1


def run(*command):
    return subprocess.run(list(map(str, command)), capture_output=True, text=True, check=True).stdout


def cached(build, name):
    found = re.search(rf"^{name}:\w+=(.*)$", (build / "CMakeCache.txt").read_text(), re.M)
    return found.group(1) if found else ""


def entries(data):
    """Yields (kind, architecture, bytes, payload) for each entry; the payload is None if it is compressed."""
    at = 0
    while (at := data.find(struct.pack("<I", MAGIC), at)) >= 0:
        _, _, header, size = HEADER.unpack_from(data, at)
        at, end = at + header, at + header + size
        while at < end:
            kind, _, header, size, compressed, _, _, _, architecture = ENTRY.unpack_from(data, at)
            payload = None if compressed else data[at + header : at + header + size]
            yield "PTX" if kind == PTX else "sm", architecture, header + size, payload
            at += header + size


def compressed_bytes(kind, architecture, payload, fatbinary):
    with tempfile.TemporaryDirectory() as folder:
        image, output = Path(folder) / "image", Path(folder) / "output"
        image.write_bytes(payload.rstrip(b"\0") if kind == "PTX" else payload)
        run(fatbinary, f"--create={output}", "-64", "--compress-all", "--compress-mode=size",
            f"--image3=kind={'ptx' if kind == 'PTX' else 'elf'},sm={architecture},file={image}")
        return output.stat().st_size - HEADER.size


def main():
    library, build = Path(sys.argv[1]), Path(sys.argv[2])
    architectures = set((cached(build, "CMAKE_CUDA_ARCHITECTURES") or "75-real;80-real;90").split(";"))
    sizes = Counter()
    with tempfile.TemporaryDirectory() as folder:
        stripped, section = Path(folder) / "stripped.so", Path(folder) / "device_code"
        run("strip", "-o", stripped, library)
        size = stripped.stat().st_size
        run("objcopy", "-O", "binary", "--only-section=.nv_fatbin", stripped, section)
        data = section.read_bytes()
    for kind, architecture, bytes_, payload in entries(data):
        if payload is not None:
            size -= bytes_
            if not {str(architecture), f"{architecture}-{'virtual' if kind == 'PTX' else 'real'}"} & architectures:
                continue
            compiler = re.search(r'"(.*)"', next(build.glob("CMakeFiles/*/CMakeCUDACompiler.cmake")).read_text()).group(1)
            bytes_ = compressed_bytes(kind, architecture, payload, Path(compiler).resolve().parent / "fatbinary")
            size += bytes_
        sizes[f"{kind} {architecture / 10}"] += bytes_
    parts = "".join(f", {name}: {bytes_ / 1e6:.2f} MB" for name, bytes_ in sorted(sizes.items()))
    print(f"libgpuvae.so, stripped: {size / 1e6:.2f} MB{parts}")
    if not size <= LIMIT:
        sys.exit(f"expected at most {LIMIT / 1e6:.0f} MB")


if __name__ == "__main__":
    main()

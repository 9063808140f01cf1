"""Reads PTX from files that nvcc wrote: objects, libraries and programs hold fat binaries, whose entries may be
compressed.

A fat binary is a header of 16 bytes (magic, version, header size, size of the entries) followed by its entries. An
entry's header has its kind (1 is PTX) at byte 0, its size at 4, the size of its data at 8, the compressed size at 16,
the architecture at 28, flags at 40 and the size of the text at 56. By default nvcc compresses with zstd.
"""
import ctypes, ctypes.util, struct

MAGIC = struct.pack("<IHH", 0xBA55ED50, 1, 16)
PTX = 1
LZ4, ZSTD = 0x2000, 0x8000


class NoZstd(Exception):
    """This machine has no libzstd."""


def zstd(data, size):
    name = ctypes.util.find_library("zstd")
    try:
        library = ctypes.CDLL(name or "libzstd.so.1")
    except OSError as error:
        raise NoZstd(str(error))
    library.ZSTD_decompress.restype = ctypes.c_size_t
    library.ZSTD_decompress.argtypes = [ctypes.c_char_p, ctypes.c_size_t, ctypes.c_char_p, ctypes.c_size_t]
    text = ctypes.create_string_buffer(size)
    got = library.ZSTD_decompress(text, size, data, len(data))
    if got != size:
        raise ValueError(f"[fatbinary] expected {size} bytes of PTX, got {got}")
    return text.raw


def entries(data):
    """Yields (kind, architecture, flags, bytes, size of the text) of each entry in a file's bytes."""
    at = data.find(MAGIC)
    while at >= 0:
        size = struct.unpack_from("<Q", data, at + 8)[0]
        entry, end = at + 16, at + 16 + size
        while entry < end:
            kind, _, header, stored = struct.unpack_from("<HHIQ", data, entry)
            compressed, architecture = struct.unpack_from("<I8xI", data, entry + 16)
            flags, text_size = struct.unpack_from("<Q8xQ", data, entry + 40)
            first = entry + header
            packed = flags & (LZ4 | ZSTD)
            yield kind, architecture, flags, data[first:first + (compressed if packed else stored)], text_size
            entry = first + stored
        at = data.find(MAGIC, end)


def ptx(path, architecture):
    """Returns the PTX texts for one architecture in a file, and how many of them were compressed."""
    texts, compressed = [], 0
    for kind, found, flags, data, size in entries(open(path, "rb").read()):
        if kind != PTX or found != architecture:
            continue
        if flags & LZ4:
            raise ValueError("[fatbinary] expected PTX compressed by zstd, got LZ4")
        if flags & ZSTD:
            data = zstd(data, size)
            compressed += 1
        texts.append(data.rstrip(b"\0").decode("latin-1"))
    return texts, compressed

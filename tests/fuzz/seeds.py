#!/usr/bin/env python3
"""Writes small valid inputs of every kind to the folder corpus/, from which fuzzing starts.

The JPEG files need Pillow and are left out without it. Inputs that fuzzing found are in the same folders and are not
changed.
"""

import gzip
import io
import json
import struct
import zlib
from pathlib import Path

CORPUS = Path(__file__).resolve().parent / "corpus"


def save(target, name, data):
    path = CORPUS / target / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data if isinstance(data, bytes) else data.encode())


def pack(data):
    return gzip.compress(data, 9, mtime=0)


def idx():
    images = struct.pack(">4I", 2051, 3, 2, 4) + bytes(range(0, 240, 10))
    labels = struct.pack(">2I", 2049, 3) + bytes([7, 0, 9])
    records = struct.pack(">3I", 3074, 2, 8) + struct.pack(">16i", 5, *range(1, 8), 9, *range(7))
    save("idx", "images", images)
    save("idx", "images.gz", pack(images))
    save("idx", "labels", labels)
    save("idx", "records", records)
    return images


def npy(descr, fortran, shape, data, version=1):
    text = f"{{'descr': '{descr}', 'fortran_order': {fortran}, 'shape': {shape}, }}".encode()
    length = {1: "<H", 2: "<I", 3: "<I"}[version]
    start = b"\x93NUMPY" + bytes([version, 0])
    text += b" " * (-(len(start) + struct.calcsize(length) + len(text) + 1) % 64) + b"\n"
    return start + struct.pack(length, len(text)) + text + data


def arrays():
    floats = npy("<f4", False, "(2, 3)", struct.pack("<6f", 0, 0.5, 1, -1, 2.5, 1e30))
    save("npy", "f4", floats)
    save("npy", "f4.gz", pack(floats))
    save("npy", "f8-fortran", npy(">f8", True, "(3, 2)", struct.pack(">6d", *range(6)), 2))
    save("npy", "u1-images", npy("|u1", False, "(2, 2, 2)", bytes(range(8))))
    save("npy", "i8", npy("<i8", False, "(2,)", struct.pack("<2q", -1, 2**60), 3))
    save("npy", "f2", npy("<f2", False, "(2, 2)", struct.pack("<4e", 0, 1, 6e-8, float("inf"))))
    save("npy", "b1-scalar", npy("|b1", False, "()", b"\1"))
    return npy("<f8", False, "(6, 2)", struct.pack("<12d", *range(12)))


def part(kind, data, order="<"):
    return (struct.pack(order + "2I", kind, len(data)) + data).ljust(8 + (len(data) + 7) // 8 * 8, b"\0")


def matrix(name, mat_class, shape, kind, data, flags=0, order="<"):
    content = (
        part(6, struct.pack(order + "2I", mat_class | flags, 0), order)
        + part(5, struct.pack(f"{order}{len(shape)}i", *shape), order)
        + part(1, name.encode(), order)
        + part(kind, data, order)
    )
    return struct.pack(order + "2I", 14, len(content)) + content


def mat_header(order="<"):
    text = b"MATLAB 5.0 MAT-file".ljust(124)
    return text + (b"\0\1IM" if order == "<" else b"\1\0MI")


def matrices():
    def compressed(element):
        packed = zlib.compress(element, 9)
        return struct.pack("<2I", 15, len(packed)) + packed

    doubles = matrix("x", 6, (4, 3), 9, struct.pack("<12d", *[i / 4 for i in range(12)]))
    frames = matrix("ff", 9, (5, 7), 2, bytes(range(35)))
    swapped = matrix("x", 7, (2, 2), 7, struct.pack(">4f", 1, 2, 3, 4), order=">")
    logical = matrix("mask", 9, (1, 3), 2, b"\1\0\1", flags=0x200)
    images = matrix("images", 10, (3, 2, 2), 3, struct.pack("<12h", *range(12)))
    text = matrix("name", 4, (1, 2), 4, struct.pack("<2H", 104, 105))
    header = mat_header()
    save("mat", "double", header + doubles)
    save("mat", "compressed", header + compressed(frames))
    save("mat", "big-endian", mat_header(">") + swapped)
    save("mat", "several", header + logical + text + compressed(images))
    save("mat", "int16-images", header + images)
    return header + matrix("x", 6, (8, 2), 9, struct.pack("<16d", *range(16)))


TABLES = {
    "header": "a,b,label\n1,2.5,cat\n3,-4e-3,dog\n5,6,cat\n",
    "no-header": "0.5 1.5 -2\n  3 4 1e308\n\n# comment\n5 6 inf\n",
    "tabs-index": "\tx\ty\n0\t1\t2\n1\t3\t4\n2\t5\t6\n3\t7\t8\n4\t9\t10\n5\t11\t12\n",
    "quotes": '"a, b";"c ""d"""\r\n"+1";2\r\n3;"4"\r\n',
    "pandas": "0,1,2,3\n5.5,1,2,3\n4.25,9,8,7\n1.5,0,0,1\n",
    "row-names": '"x" "y"\n"1" 0.1 0.2\n"2" 0.3 0.4\n',
    "pipes-empty-last": "1|2|\n3|4|\n5|6|\n",
    "missing": "a,b\n1,NA\n2,3\n",
    "same-names": "a,a,a.1,,b\n1,2,3,4,5\n6,7,8,9,10\n",
    "one-column": "value of x\n1\n2\n3\n",
    "underflow": "x,y\n1e-320,4.9e-400\n-0,+7\n",
    "labels": "label,a,b\n1,0.5,2\n0,0.25,3\n2,1,1\n1,0,0\n255,.5,.5\n",
}


def tables():
    for name, text in TABLES.items():
        save("table", name, text)
    save("table", "header.gz", pack(TABLES["header"].encode()))


def datasets(images, array, mat):
    rows = "".join(f"{i % 3},{i / 7:.4f},{i * i % 11}\n" for i in range(25))
    wide = "".join(",".join(str((7 * i + j) * 51 % 256) for j in range(16)) + "\n" for i in range(6))
    save("dataset", "table", b"c\0x,y,z\n" + rows.encode())
    save("dataset", "table-standardised", b"c\2x,y,z\n" + rows.encode())
    save("dataset", "table-labels", b"c\x08" + rows.encode())
    save("dataset", "table-class-names", b"c\x0b" + TABLES["labels"].replace("255", "cat").encode())
    save("dataset", "table-class-names-alone", b"c\x09cat,1.5,2\ndog,3.5,4\ncat,7.5,9\n")
    save("dataset", "table-bytes", b"z\0" + wide.encode())
    save("dataset", "table-range", b"c\5" + wide.encode())
    save("dataset", "npy", b"n\0" + array)
    save("dataset", "npy-images", b"n\1" + npy("<i4", False, "(3, 2, 2)", struct.pack("<12i", *range(0, 240, 20))))
    save("dataset", "mat", b"m\2" + mat)
    save("dataset", "idx", b"i\0" + images)


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(width, height, depth, color, rows, extra=b"", interlace=0):
    header = struct.pack(">2I5B", width, height, depth, color, 0, 0, interlace)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + extra
        + chunk(b"IDAT", zlib.compress(rows, 9))
        + chunk(b"IEND", b"")
    )


def exif(orientation, order="<"):
    mark = b"II*\0" if order == "<" else b"MM\0*"
    value = struct.pack(order + "HHIHH", 0x112, 3, 1, orientation, 0)
    return mark + struct.pack(order + "IH", 8, 1) + value + bytes(4)


def pngs():
    save("png", "gray8", png(3, 2, 8, 0, b"\0\1\2\3\1\4\5\6", chunk(b"eXIf", exif(6))))
    save("png", "gray1-key", png(9, 2, 1, 0, b"\0\xaa\x80\0\x55\0", chunk(b"tRNS", b"\0\1")))
    save("png", "gray16", png(2, 1, 16, 0, b"\0\0\1\xff\xff", chunk(b"eXIf", exif(3, ">"))))
    save("png", "rgb-key", png(2, 1, 8, 2, b"\0\1\2\3\4\5\6", chunk(b"tRNS", b"\0\1\0\2\0\3")))
    palette = chunk(b"PLTE", bytes(range(12))) + chunk(b"tRNS", b"\0\x80")
    save("png", "palette2", png(4, 2, 2, 3, b"\0\x1b\0\xe4", palette))
    save("png", "gray-alpha", png(1, 2, 8, 4, b"\0\7\x80\2\1\xff"))
    save("png", "rgba16-interlaced", png(1, 1, 16, 6, b"\0" + bytes(range(8)), interlace=1))
    save("png", "rgba-interlaced", png(3, 3, 8, 6, b"\0" + bytes(4) + (b"\0" + bytes(8)) * 1
         + b"\0" + bytes(8) + (b"\0" + bytes(4)) * 2 + b"\0" + bytes(12), interlace=1))


def bmp(bits, width, height, pixels, palette=b"", compression=0, masks=b""):
    offset = 54 + len(masks) + len(palette)
    info = struct.pack("<IiiHHIIiiII", 40, width, height, 1, bits, compression, 0, 0, 0, len(palette) // 4, 0)
    return b"BM" + struct.pack("<IHHI", offset + len(pixels), 0, 0, offset) + info + masks + palette + pixels


def simple_images():
    save("pnm_bmp", "p1", "P1 # bits\n3 2\n101\n0 1 0\n")
    save("pnm_bmp", "p2", "P2\n2 2\n15\n0 15\n7 8\n")
    save("pnm_bmp", "p3", "P3 1 1 255 1 2 3\n")
    save("pnm_bmp", "p4", b"P4 9 2\n\xaa\x80\x55\0")
    save("pnm_bmp", "p5", b"P5 3 1 255\n\0\x80\xff")
    save("pnm_bmp", "p5-16", b"P5 2 1 65535\n\0\1\xff\xff")
    save("pnm_bmp", "p6", b"P6\n#c\n1 2 100\n\1\2\3\4\5\6")
    save("pnm_bmp", "bmp1", bmp(1, 3, 1, b"\xa0\0\0\0", bytes(range(8))))
    save("pnm_bmp", "bmp4", bmp(4, 2, -1, b"\x10\0\0\0", bytes(range(8))))
    save("pnm_bmp", "bmp8", bmp(8, 1, 2, b"\0\0\0\0\1\0\0\0", bytes(range(8))))
    save("pnm_bmp", "bmp24", bmp(24, 1, 1, b"\1\2\3\0"))
    save("pnm_bmp", "bmp32", bmp(32, 1, 2, b"\1\2\3\xff\4\5\6\xff"))
    masks = struct.pack("<3I", 0xFF, 0xFF00, 0xFF0000)
    save("pnm_bmp", "bmp32-masks", bmp(32, 1, 1, b"\1\2\3\0", compression=3, masks=masks))
    core = struct.pack("<IHHHH", 12, 1, 1, 1, 24)
    save("pnm_bmp", "bmp-core", b"BM" + struct.pack("<IHHI", 30, 0, 0, 26) + core + b"\1\2\3\0")


def jpegs():
    try:
        from PIL import Image
    except ImportError:
        print("the JPEG files are left out: no Pillow")
        return
    shades = Image.frombytes("L", (9, 7), bytes((x * 29 + y * 31) % 256 for y in range(7) for x in range(9)))
    colors = Image.frombytes("RGB", (9, 7), bytes((i * 37) % 256 for i in range(9 * 7 * 3)))

    def encode(image, **options):
        out = io.BytesIO()
        image.save(out, "JPEG", quality=40, **options)
        return out.getvalue()

    save("jpeg", "gray", encode(shades, optimize=True))
    save("jpeg", "progressive", encode(colors, progressive=True))
    save("jpeg", "exif", encode(shades, exif=b"Exif\0\0" + exif(5), optimize=True))
    save("jpeg", "color-444", encode(colors, subsampling=0, optimize=True))
    save("jpeg", "cmyk", encode(colors.convert("CMYK"), optimize=True))
    save("jpeg", "restart", encode(colors, restart_marker_blocks=1, optimize=True))
    save("jpeg", "exif-alone", exif(8, ">"))


def tensors():
    def save_file(name, tensors, metadata=None, order=None):
        header, data = ({"__metadata__": metadata} if metadata else {}), b""
        for key, (dtype, shape, content) in tensors.items():
            header[key] = {"dtype": dtype, "shape": shape, "data_offsets": [len(data), len(data) + len(content)]}
            data += content
        text = json.dumps(header).encode()
        text += b" " * (-len(text) % 8)
        save("safetensors", name, struct.pack("<Q", len(text)) + text + data)

    weight = ("F32", [1, 2], struct.pack("<2f", 1, 2))
    bias = ("F32", [2], struct.pack("<2f", 3, 4))
    state = ("F32", [4], struct.pack("<4f", 0, 0, 0, 0))
    run = {"epochs": "2", "epoch_steps": "1", "epoch_reconstruction": "1.5", "epoch_kl": "0.5", "epoch_seconds": "1"}
    checkpoint = run | {"format_version": "2", "checksum": "0" * 16, "steps": "5", "optimizer": "adam"}
    model = {"weight": weight, "bias": bias}
    states = {"optimizer.state1": state, "optimizer.state2": state}
    del checkpoint["checksum"]
    save_file("checkpoint-1", model | states, {"epochs": "2", "steps": "5", "learning_rate": "0.01"})
    save_file("checkpoint-2", model | states, checkpoint)
    save_file("types", {"a": ("U8", [2, 2], b"abcd"), "b": ("BF16", [1], b"\0\1"), "c": ("F64", [], bytes(8)),
                        "d": ("I32", [0, 3], b"")})
    save_file("empty", {})


SETTINGS = {"data": "x.csv", "label-column": "label", "columns": "a,\"b, c\"", "standardize": True, "hidden": [8, 4],
            "latent": 2, "likelihood": "gaussian", "learning-rate": 0.001, "optimizer": "adamw", "seed": 7,
            "value-range": "-1:1", "no-shuffle": False, "binarize": "none"}


def descriptions():
    data = {"source": "x.csv: 2 columns", "training_examples": 9, "validation_examples": 1, "fingerprint": "0" * 16,
            "dtype": "f32", "labelled": True, "height": 1, "width": 2, "values": "standardized", "value_low": -1.5,
            "value_high": 2.5, "values_scaled": False, "column_names": ["a", "b, c"], "label_column": "label",
            "class_names": ["cat", "dog"], "mean": [0.5, 1.5], "stddev": [1, 2]}
    images = data | {"dtype": "u8", "height": 28, "width": 28, "values": "bytes", "value_low": 0, "value_high": 255,
                     "column_names": [], "mean": [], "stddev": [], "class_names": []}

    def save_lines(name, settings, facts):
        lines = {"program": "vae", "preset": "default", "format_version": "2", "epochs": "3",
                 "settings": json.dumps(settings), "data": json.dumps(facts)}
        save("model_file", name, "".join(f"{key}={value}\n" for key, value in lines.items()))

    save_lines("table", SETTINGS, data)
    save_lines("images", {"latent": 2}, images)


def configs():
    lines = [f"{key}={json.dumps(value)}" for key, value in SETTINGS.items()]
    save("config", "settings", "# comment\n" + "\n".join(lines) + "\n")
    save("config", "words", "epochs = 3 # three\nhidden=[ 512, 256 ]\nmanifold='data:5'\ndevice=cpu\n")
    save("config", "pictures", 'sliders="-3:3:0.5"\nlatent-names="a\\tb"\nsamples=9\nencode=sample\n')
    save("config", "schedule", "schedule=step\nlr-warmup=0.5\nlr-decay-epochs=2\nlr-decay-rate=0.9\nclip-norm=1\n")


def metrics():
    header = "epoch,train_loss,train_reconstruction,train_kl,val_loss,val_reconstruction,val_kl,train_seconds,val_seconds\n"
    save("metrics", "two", "# losses\n" + header + "1,200.5,190,10.5,180,170,10,1.25,0.5\n2,1e2,9,8,7,6,5,4,3\n")
    save("metrics", "nan", header + "1,nan,inf,-inf,0,0,0,0,0\n")
    counts = header.replace("\n", ",skipped_steps,rewinds\n")
    save("metrics", "counts", counts + "1,1,2,3,4,5,6,7,8,-4,3e9\n")


GRAMMARS = {
    "manifold": "mquantile:20:0.01:0.99:right-up,data:3:0.1:0.9,linear:1:-5:5:left-down",
    "manifold-none": "mnone",
    "manifold-tail": "mquantile:3:1e-300:0.9999999",
    "sliders": "s-15:15:3:0.01",
    "columns": 'clength,"width, in cm",3',
    "value-range": "v-1:1e300",
    "interval-time": "i1.5min",
    "interval-epochs": "i10epochs",
    "codes": "z0.5,-1;0,2e-3",
    "schedule-step": "lstep 0.5 30 0.1 10 ###",
    "schedule-cosine": "lcosine 1e300 1 1 1000000 ",
    "setting-widths": "fhidden 512,256",
    "setting-number": "flearning-rate +1e-3",
    "setting-seed": "fseed 18446744073709551615",
    "setting-choice": "foptimizer adamw",
}


def main():
    images, array = idx(), arrays()
    tables()
    datasets(images, array, matrices())
    pngs()
    simple_images()
    jpegs()
    tensors()
    descriptions()
    configs()
    metrics()
    for name, text in GRAMMARS.items():
        save("grammars", name, text)


if __name__ == "__main__":
    main()

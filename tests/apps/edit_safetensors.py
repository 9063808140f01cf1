"""Changes a safetensors file as another program would. Arguments: the file, then one of

strip           drops all metadata
drop KEY        drops one key of the metadata
set KEY VALUE   sets one key
add NUMBER      adds a number to the first element of every F32 tensor
reverse         reverses the order of the header, which has no meaning
flip            flips a bit in the middle of the tensors
data KEY JSON   sets a value of the description of the data, and drops the checksum
rewrite drop K  drops one key of the metadata, and writes the checksum as gpuvae does
"""

import json
import struct
import sys
import zlib


def checksum(header, metadata, body):
    """CRC-32 and Adler-32 of names, types, shapes, bytes and metadata."""
    number = lambda n: struct.pack("<Q", n)
    text = lambda t: number(len(t.encode())) + t.encode()
    data = b""
    for name in sorted(n for n in header if n != "__metadata__"):
        tensor = header[name]
        first, last = tensor["data_offsets"]
        shape = tensor["shape"]
        data += text(name) + text(tensor["dtype"]) + number(len(shape)) + b"".join(map(number, shape)) + body[first:last]
    for key in sorted(k for k in metadata if k != "checksum"):
        data += text(key) + text(metadata[key])
    return f"{zlib.crc32(data):08x}{zlib.adler32(data):08x}"


def main(path, action, *arguments):
    with open(path, "rb") as file:
        data = file.read()
    length = struct.unpack("<Q", data[:8])[0]
    header, body = json.loads(data[8 : 8 + length]), bytearray(data[8 + length :])
    metadata = header.get("__metadata__", {})
    if action == "strip":
        header.pop("__metadata__", None)
    elif action == "drop":
        del metadata[arguments[0]]
    elif action == "set":
        metadata[arguments[0]] = arguments[1]
        header["__metadata__"] = metadata
    elif action == "data":
        description = json.loads(metadata["data"])
        description[arguments[0]] = json.loads(arguments[1]) if arguments[1][0] in "[-0123456789" else arguments[1]
        metadata["data"] = json.dumps(description)
        metadata.pop("checksum")
    elif action == "rewrite":
        del metadata[arguments[1]]
        metadata["checksum"] = checksum(header, metadata, bytes(body))
    elif action == "add":
        for tensor in (t for name, t in header.items() if name != "__metadata__"):
            at = tensor["data_offsets"][0]
            value = struct.unpack_from("<f", body, at)[0]
            struct.pack_into("<f", body, at, value + float(arguments[0]))
    elif action == "reverse":
        header = dict(reversed(header.items()))
    elif action == "flip":
        body[len(body) // 2] ^= 16
    else:
        sys.exit(__doc__)
    text = json.dumps(header).encode()
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text + body)


main(*sys.argv[1:])

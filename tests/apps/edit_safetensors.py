"""Changes a safetensors file as another program would. Arguments: the file, then one of

strip           drops all metadata
drop KEY        drops one key of the metadata
set KEY VALUE   sets one key
add NUMBER      adds a number to the first element of every F32 tensor
reverse         reverses the order of the header, which has no meaning
flip            flips a bit in the middle of the tensors
"""

import json
import struct
import sys


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

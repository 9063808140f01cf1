"""The training images that every peer reads: an IDX file written by our own `peers_data`."""
import struct

import numpy


def read(path, limit):
    """u8 [count, pixels]; the first `limit` images, or all if it is 0."""
    with open(path, "rb") as file:
        magic, count, rows, columns = struct.unpack(">4i", file.read(16))
        if magic != 2051:
            raise ValueError(f"{path}: expected an IDX file of images, got magic {magic}")
        images = numpy.fromfile(file, numpy.uint8).reshape(count, rows * columns)
    return images[:limit] if limit else images

"""Reads the training images, which are the same for all peers, from the IDX file that `peers_data` writes."""
import struct

import numpy


def read(path, limit):
    """Returns the first `limit` images as u8 [count, pixels], or all images if the limit is 0."""
    with open(path, "rb") as file:
        magic, count, rows, columns = struct.unpack(">4i", file.read(16))
        if magic != 2051:
            raise ValueError(f"{path}: expected an IDX file of images, got magic {magic}")
        images = numpy.fromfile(file, numpy.uint8).reshape(count, rows * columns)
    return images[:limit] if limit else images

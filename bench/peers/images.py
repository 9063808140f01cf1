"""Reads the images, which are the same for all peers, from the IDX files that `peers_data` writes."""
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


def binarized(config, images):
    return (images > 127).astype(numpy.uint8) * 255 if config["binarize"] else images


def training(config):
    """Returns the training images as u8 [count, pixels]."""
    return binarized(config, read(config["images"], config["limit"] or config["train_images"]))


def validation(config):
    """Returns the validation images as u8 [count, pixels]."""
    if config["validation"] == "rest":
        images = read(config["images"], 0)[config["train_images"]:]
    else:
        images = read(config["validation_file"], 0)
    limit = config["validation_images"]
    return binarized(config, images[:limit] if limit else images)

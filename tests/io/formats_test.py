"""Compares the readers of images and MATLAB files with files that Pillow and SciPy write.

Usage: formats_test.py PATH_OF_file_values. Exits with 77 if neither package is installed.
"""

import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

try:
    import numpy as np
except ImportError:
    np = None
try:
    from PIL import Image, ImageOps
except ImportError:
    Image = None
try:
    import scipy.io
except ImportError:
    scipy = None

TOOL = None


def read(kind, path, *variable):
    """Returns sizes and values that the reader finds, or its error."""
    done = subprocess.run([TOOL, kind, str(path), *variable], capture_output=True, text=True)
    if done.returncode != 0:
        return None, done.stderr
    sizes, values = done.stdout.splitlines()
    return tuple(map(int, sizes.split())), np.array(values.split(), dtype=float)


def picture(seed=0, width=37, height=21):
    """Smooth colours with an opacity that falls from left to right: uint8 [height, width, 4]."""
    y, x = np.mgrid[0:1:height * 1j, 0:1:width * 1j]
    rng = np.random.default_rng(seed)
    a, b = rng.uniform(0.2, 1, 2)
    return np.rint(255 * np.stack([x, y, a * x * (1 - y) + 0.1 * b, 1 - x * b], axis=2)).astype(np.uint8)


def gray_on_white(image):
    """BT.601 luminance of a Pillow image on white, in double precision."""
    rgba = np.asarray(image.convert("RGBA"), dtype=float)
    luma = rgba[..., :3] @ [0.299, 0.587, 0.114]
    alpha = rgba[..., 3] / 255
    return luma * alpha + 255 * (1 - alpha)


@unittest.skipIf(np is None or Image is None, "no Pillow")
class Images(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.path = Path(self.folder.name) / "image"

    def tearDown(self):
        self.folder.cleanup()

    def check(self, expected, tolerance=0.51):
        sizes, values = read("image", self.path)
        self.assertIsNotNone(sizes, values)
        self.assertEqual(sizes, expected.shape)
        worst = np.abs(values - expected.ravel()).max()
        self.assertTrue(worst <= tolerance, f"off by {worst}")

    def modes(self):
        rgba = Image.fromarray(picture(), "RGBA")
        yield from (rgba.convert(mode) for mode in ("1", "L", "LA", "RGB"))
        yield rgba
        yield rgba.convert("RGB").quantize(11)
        yield rgba.quantize(200, method=Image.Quantize.FASTOCTREE)  # a palette with transparency

    def test_png_modes(self):
        for image in self.modes():
            with self.subTest(image.mode):
                image.save(self.path, "PNG")
                self.check(gray_on_white(image))

    def test_png_of_16_bits(self):
        values = np.random.default_rng(1).integers(0, 65536, (21, 37)).astype(np.uint16)
        Image.fromarray(values).save(self.path, "PNG")
        self.check(values / 257)

    def test_bmp_modes(self):
        for image in self.modes():
            has_alpha = image.mode in ("LA", "RGBA") or (image.mode == "P" and image.palette.mode == "RGBA")
            if has_alpha:  # Pillow would drop it
                continue
            with self.subTest(image.mode):
                image.save(self.path, "BMP")
                self.check(gray_on_white(image))

    def test_pnm_modes(self):
        for mode in ("1", "L", "RGB"):
            with self.subTest(mode):
                image = Image.fromarray(picture(), "RGBA").convert(mode)
                image.save(self.path, "PPM")
                self.check(gray_on_white(image))

    def test_jpeg(self):
        image = Image.fromarray(picture(), "RGBA").convert("RGB")
        for mode in ("L", "RGB", "CMYK"):
            for options in ({}, {"progressive": True}, {"subsampling": "4:2:0"}, {"restart_marker_rows": 1}):
                with self.subTest(mode=mode, **options):
                    image.convert(mode).save(self.path, "JPEG", quality=90, **options)
                    with Image.open(self.path) as decoded:
                        expected = gray_on_white(decoded.convert("RGB"))
                    self.check(expected, 2.0)

    def test_jpeg_orientation(self):
        image = Image.fromarray(picture(), "RGBA").convert("L")
        for orientation in range(1, 9):
            with self.subTest(orientation):
                exif = Image.Exif()
                exif[0x0112] = orientation
                image.save(self.path, "JPEG", quality=100, exif=exif)
                with Image.open(self.path) as decoded:
                    self.check(np.asarray(ImageOps.exif_transpose(decoded), dtype=float))

    def test_other_formats_are_refused(self):
        image = Image.fromarray(picture(), "RGBA").convert("RGB")
        for name in ("GIF", "TIFF", "WEBP"):
            with self.subTest(name):
                image.save(self.path, name)
                sizes, error = read("image", self.path)
                self.assertIsNone(sizes)
                self.assertIn("not a readable PNG, JPEG, BMP or PNM image", error)


@unittest.skipIf(np is None or scipy is None, "no SciPy")
class Matrices(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.path = Path(self.folder.name) / "x.mat"

    def tearDown(self):
        self.folder.cleanup()

    def test_every_class_and_shape(self):
        rng = np.random.default_rng(2)
        for dtype in "f8 f4 i1 u1 i2 u2 i4 u4 i8 u8 ?".split():
            for shape in ((1, 2), (3, 4), (40, 50), (4, 3, 5), (2, 3, 4, 5)):
                for compressed in (False, True):
                    with self.subTest(dtype=dtype, shape=shape, compressed=compressed):
                        values = (rng.random(shape) * 2 if dtype == "?" else rng.random(shape) * 100).astype(dtype)
                        scipy.io.savemat(self.path, {"X": values, "name": "text"}, do_compression=compressed)
                        sizes, got = read("mat", self.path)
                        self.assertEqual(sizes, shape, got)
                        np.testing.assert_array_equal(got, values.ravel(order="F").astype(float))

    def test_what_is_no_real_full_matrix_is_refused(self):
        import scipy.sparse
        for values, reason in ((np.array([[1 + 2j, 3]]), "complex double"), ("text", "char"),
                               ({"a": 1}, "struct"), (np.array([[1, "a"]], dtype=object), "cell"),
                               (scipy.sparse.eye_array(4).tocsc(), "sparse")):
            with self.subTest(reason):
                scipy.io.savemat(self.path, {"X": values})
                sizes, error = read("mat", self.path, "X")
                self.assertIsNone(sizes)
                self.assertIn("got " + reason, error)

    def test_several_matrices_need_a_name(self):
        scipy.io.savemat(self.path, {"A": np.ones((2, 3)), "B": np.zeros((4, 5), np.uint8)})
        self.assertIn("'A' (double, 2 x 3), 'B' (uint8, 4 x 5)", read("mat", self.path)[1])
        self.assertEqual(read("mat", self.path, "B")[0], (4, 5))

    def test_version_4_is_refused(self):
        scipy.io.savemat(self.path, {"X": np.ones((2, 3))}, format="4")
        self.assertIn("MATLAB 4 file", read("mat", self.path)[1])


if __name__ == "__main__":
    TOOL = sys.argv.pop(1)
    if np is None or (Image is None and scipy is None):
        print("skipped: neither Pillow nor SciPy")
        sys.exit(77)
    unittest.main()

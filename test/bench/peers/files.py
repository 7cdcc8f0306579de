"""Writes small files of one image, 96×64 pixels, in many formats to a folder.

usage: files.py IMAGE FOLDER

reference.png has the pixels. Needs Pillow, and a libvips that writes HEIC, JPEG XL and JPEG 2000.
"""

import base64
import pathlib
import sys

import numpy
import pyvips
from PIL import Image

SIZE = (96, 64)
SVG = '<svg xmlns="http://www.w3.org/2000/svg" width="96" height="64"><image width="96" height="64" href="data:image/png;base64,{}"/></svg>'
PILLOW = {
    "jpeg.jpg": {"quality": 95}, "progressive.jpg": {"quality": 95, "progressive": True}, "24 bits.bmp": {},
    "still.gif": {}, "8 bits.tiff": {}, "deflate.tiff": {"compression": "tiff_adobe_deflate"}, "icon.ico": {"sizes": [SIZE]},
    "document.pdf": {"quality": 95}, "lossy.webp": {"quality": 95}, "lossless.webp": {"lossless": True},
}
VIPS = {
    "8 bits.avif": "[Q=90,compression=av1]", "8 bits.heic": "[Q=90,compression=hevc]", "lossy.jxl": "[Q=95]",
    "lossless.jxl": "[lossless]", "lossless.jp2": "[lossless]", "big.tiff": "[bigtiff]",
}


def animate(image, folder):
    frames = [image, image.transpose(Image.Transpose.FLIP_LEFT_RIGHT), image]
    for name, options in {"animated.gif": {}, "animated.webp": {"quality": 95}, "animated.png": {}}.items():
        frames[0].save(folder / name, save_all=True, append_images=frames[1:], duration=100, loop=0, **options)


def write_vips(image, folder):
    pixels = pyvips.Image.new_from_array(numpy.asarray(image)).copy(interpretation="srgb")
    for name, options in VIPS.items():
        pixels.write_to_file(str(folder / name) + options)
    deep = (pixels.cast("ushort") * 257).cast("ushort").copy(interpretation="rgb16")
    deep.write_to_file(str(folder / "16 bits.png"))
    deep.write_to_file(str(folder / "16 bits.tiff"))
    (pixels.cast("float") / 255).copy(interpretation="srgb").write_to_file(str(folder / "floats 0 to 1.tiff"))


def main(source, folder):
    image = Image.open(source).convert("RGB").resize(SIZE, Image.Resampling.LANCZOS)
    image.save(folder / "reference.png")
    for name, options in PILLOW.items():
        image.save(folder / name, **options)
    image.quantize(256).save(folder / "palette.bmp")
    image.convert("CMYK").save(folder / "cmyk.jpg", quality=95)
    png = base64.b64encode((folder / "reference.png").read_bytes()).decode()
    (folder / "image.svg").write_text(SVG.format(png))
    animate(image, folder)
    write_vips(image, folder)


main(sys.argv[1], pathlib.Path(sys.argv[2]))

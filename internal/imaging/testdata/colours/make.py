"""Makes the files of this folder again, from a photo and all colours of a cube. NAME.png is what Little
CMS (Pillow's ImageCms) makes of NAME in sRGB, by the relative colorimetric intent, or by the perceptual
one if the profile has no other; inks have black point compensation. Run it from here with the Python of
hack/corpus.sh, which has Pillow and pyvips:

    ~/.cache/imageflow/corpus-1/bin/python make.py
"""
import glob
import io
import os
import struct

import numpy
import pyvips
from PIL import Image, ImageCms

RELATIVE, PERCEPTUAL = ImageCms.Intent.RELATIVE_COLORIMETRIC, ImageCms.Intent.PERCEPTUAL
SRGB = ImageCms.createProfile("sRGB")
D50 = numpy.array([0.9642, 1, 0.8249])
BRADFORD = numpy.array([[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]])


def profile(space, connection, tags):
    """Returns an ICC profile of version 2."""
    tags = [(b"wtpt", xyz(D50)), (b"desc", b"desc" + bytes(4) + struct.pack(">I", 5) + b"test\0" + bytes(78)),
            (b"cprt", b"text" + bytes(4) + b"none\0")] + tags
    table, body, start = struct.pack(">I", len(tags)), b"", 132 + 12 * len(tags)
    for name, content in tags:
        table += name + struct.pack(">II", start + len(body), len(content))
        body += content + bytes(-len(content) % 4)
    head = struct.pack(">4sI4s4s4s12x4s28x12s48x", b"", 0x02400000, b"mntr", space, connection, b"acsp", xyz(D50)[8:])
    return struct.pack(">I", start + len(body)) + head + table + body


def xyz(v):
    return b"XYZ " + bytes(4) + struct.pack(">3i", *(round(x * 65536) for x in v))


def matrix(primaries, white, gamma):
    """Returns a profile of RGB from the chromaticities of red, green, blue and white and a gamma, or the
    curve of sRGB for 0."""
    columns = numpy.array([[x / y, 1, (1 - x - y) / y] for x, y in (*primaries, white)]).T
    columns[:, :3] *= numpy.linalg.solve(columns[:, :3], columns[:, 3])
    adapt = numpy.linalg.inv(BRADFORD) @ numpy.diag((BRADFORD @ D50) / (BRADFORD @ columns[:, 3])) @ BRADFORD
    points = numpy.linspace(0, 1, 1024)
    table = points**gamma if gamma else to_linear(points)
    curve = b"curv" + bytes(4) + struct.pack(">I1024H", 1024, *numpy.rint(table * 65535).astype(int))
    tags = [(name + b"XYZ", xyz(adapt @ columns[:, i])) for i, name in enumerate((b"r", b"g", b"b"))]
    return profile(b"RGB ", b"XYZ ", tags + [(name + b"TRC", curve) for name in (b"r", b"g", b"b")])


def to_linear(v):
    return numpy.where(v <= 0.04045, v / 12.92, ((v + 0.055) / 1.055) ** 2.4)


def lab(rgb):
    """Returns CIELAB of linear sRGB."""
    m = numpy.array([[0.4360747, 0.3850649, 0.1430804], [0.2225045, 0.7168786, 0.0606169], [0.0139322, 0.0971045, 0.7141733]])
    v = (m @ rgb) / D50
    x, y, z = numpy.where(v > 216 / 24389, numpy.cbrt(v), (v * 24389 / 27 + 16) / 116)
    return 116 * y - 16, 500 * (x - y), 200 * (y - z)


def table(space, channels, to_rgb, intents):
    """Returns a profile of tables with 5 points along each channel."""
    head = b"mft2" + struct.pack(">4x4B9i2H", channels, 3, 5, 0, *(65536, 0, 0, 0, 65536, 0, 0, 0, 65536), 2, 2)
    ramp = struct.pack(">2H", 0, 65535)
    values = b""
    for at in numpy.ndindex(*[5] * channels):
        light, a, b = lab(to_rgb(numpy.array(at) / 4))
        values += struct.pack(">3H", round(light * 652.8), round((a + 128) * 256), round((b + 128) * 256))
    content = head + ramp * channels + values + ramp * 3
    return profile(space, b"Lab ", [(name, content) for name in intents])


def inks(v):
    """Returns linear RGB of CMYK; black ink is not quite black."""
    return 0.02 + 0.9 * (1 - v[:3]) ** 1.8 * (1 - 0.97 * v[3]) ** 1.8


def film(v):
    """Returns linear RGB of odd colours."""
    return 0.8 * numpy.array([0.8, 0.7, 0.6]) * v**1.5 + 0.1 * v[[1, 2, 0]] ** 2


P3 = matrix(((0.68, 0.32), (0.265, 0.69), (0.15, 0.06)), (0.3127, 0.329), 0)
ADOBE = matrix(((0.64, 0.33), (0.21, 0.71), (0.15, 0.06)), (0.3127, 0.329), 2.19921875)
PROPHOTO = matrix(((0.7347, 0.2653), (0.1596, 0.8404), (0.0366, 0.0001)), (0.3457, 0.3585), 1.8)
INKS = table(b"CMYK", 4, inks, [b"A2B0", b"A2B1"])
FILM = table(b"RGB ", 3, film, [b"A2B0"])
BUILT_IN = bytes(pyvips.Operation.call("profile_load", "cmyk"))


def source():
    """Returns 96 × 48 pixels of RGB: a photo, and all colours in steps."""
    photo = Image.open("../../../../test/images/sample.jpg").convert("RGB").crop((610, 540, 674, 588))
    y, x = numpy.mgrid[0:48, 0:32]
    cube = numpy.stack([x // 4 * 255 // 7, y // 6 * 255 // 7, (x % 4 + y % 6 * 4) * 255 // 23], 2).astype("uint8")
    out = Image.new("RGB", (96, 48))
    out.paste(photo, (0, 0))
    out.paste(Image.fromarray(cube), (64, 0))
    return out


def save16(name, image, icc):
    """Saves an image with 16 bits."""
    deep = (numpy.asarray(image).astype("uint16") * 257).tobytes()
    made = pyvips.Image.new_from_memory(deep, 96, 48, 3, "ushort").copy(interpretation="rgb16").copy()
    made.set_type(pyvips.GValue.blob_type, "icc-profile-data", icc)
    made.write_to_file(name, **({"compression": "deflate"} if name.endswith(".tiff") else {}))


def reference(name, icc, intent=RELATIVE, flags=0, image=None):
    image = image or Image.open(name)
    made = ImageCms.profileToProfile(image, ImageCms.ImageCmsProfile(io.BytesIO(icc)), SRGB, intent, "RGB", flags=flags)
    made.save(name + ".png", icc_profile=None)


for old in glob.glob("*.png") + glob.glob("*.jpg") + glob.glob("*.tiff"):
    os.remove(old)
rgb = source()
cmyk = Image.merge("CMYK", [*rgb.point(lambda v: 255 - v).split(), rgb.convert("L").point(lambda v: max(0, 160 - v))])
for kind, icc in ("p3", P3), ("adobe", ADOBE), ("prophoto", PROPHOTO), ("perceptual", FILM):
    intent = PERCEPTUAL if icc == FILM else RELATIVE
    for end, options in ("png", {}), ("jpg", {"quality": 95, "subsampling": 0}), ("tiff", {"compression": "tiff_adobe_deflate"}):
        rgb.save(f"{kind}.{end}", icc_profile=icc, **options)
        reference(f"{kind}.{end}", icc, intent)
        if end != "jpg":
            save16(f"{kind}-16.{end}", rgb, icc)
            reference(f"{kind}-16.{end}", icc, intent, image=rgb)
for end in "jpg", "tiff":
    options = {"quality": 95} if end == "jpg" else {"compression": "tiff_adobe_deflate"}
    for kind, icc in ("inks", INKS), ("cmyk", None):
        cmyk.save(f"{kind}.{end}", icc_profile=icc, **options)
        reference(f"{kind}.{end}", icc or BUILT_IN, flags=ImageCms.Flags.BLACKPOINTCOMPENSATION)
to_lab = ImageCms.profileToProfile(rgb, SRGB, ImageCms.createProfile("LAB"), RELATIVE, "LAB")
to_lab.save("lab.tiff", compression="tiff_adobe_deflate")
reference("lab.tiff", ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes(), image=to_lab)

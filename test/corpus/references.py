"""Decodes images by Pillow or libvips and compares the service's outputs with them.

usage: references.py pillow|vips

Each line of standard input is a JSON object: path, an image file; filtered, a PNG of all its
pixels by the service; resized, an image by the service in any format. The last two may be empty.
Each line of standard output is the answer:

error     why the reference refuses the file; empty if it decodes it
width     the size after EXIF orientation, in pixels
height
cpu_ms    the CPU time of decoding
rss_mib   the peak resident memory of this process while decoding
psnr      of filtered in dB, in sRGB, colours weighted by alpha; 99 if equal; -1 if there is none,
          or if the image has more than 16 million pixels
resized   the same of resized, against the reference's pixels filtered by Pillow's Lanczos
baseline  the same of these filtered pixels, encoded by Pillow as resized is
"""

import io
import json
import resource
import sys

import numpy
from PIL import Image, ImageCms, ImageOps

# Each process loads the libraries of one reference: two versions of libheif in it would crash.
if sys.argv[1] == "pillow":
    import pillow_heif
    import pillow_jxl  # registers itself

    pillow_heif.register_heif_opener()
else:
    import pyvips

Image.MAX_IMAGE_PIXELS = 100_000_000
MAX_COMPARED = 16_000_000  # pixels; more take this script minutes
SRGB = ImageCms.createProfile("sRGB")
QUALITY = {"JPEG": 85, "WEBP": 80, "AVIF": 60}  # of the service


def by_pillow(path):
    m = Image.open(path)
    m.load()
    profile = m.info.get("icc_profile")
    m = ImageOps.exif_transpose(m)
    if m.mode.startswith(("I", "F")):
        values = numpy.asarray(m, dtype=numpy.float64)
        return Image.fromarray((values / 257).round().clip(0, 255).astype(numpy.uint8)).convert("RGBA")
    if profile and m.mode in ("RGB", "L", "CMYK"):
        try:
            return ImageCms.profileToProfile(
                m, ImageCms.ImageCmsProfile(io.BytesIO(profile)), SRGB,
                renderingIntent=ImageCms.Intent.RELATIVE_COLORIMETRIC, outputMode="RGB").convert("RGBA")
        except ImageCms.PyCMSError:
            pass  # the profile is broken or of other channels
    return m.convert("RGBA")


def by_vips(path):
    m = pyvips.Image.new_from_file(path, access="sequential", fail_on="error").autorot()
    if m.get_typeof("icc-profile-data"):
        try:
            m = m.icc_transform("srgb", embedded=True, intent="relative").copy_memory()
        except pyvips.Error:
            m = pyvips.Image.new_from_file(path, access="sequential", fail_on="error").autorot()
    m = m.colourspace("srgb")
    if not m.hasalpha():
        m = m.addalpha()
    return Image.fromarray(m.cast("uchar").numpy()[:, :, :4], "RGBA")


def weighted(m):
    """Returns the pixels of an image as H×W×4 floats, with colours weighted by alpha."""
    values = numpy.asarray(m.convert("RGBA"), dtype=numpy.float32)
    values[:, :, :3] *= values[:, :, 3:] / 255
    return values


def psnr(got, want):
    if got.shape != want.shape:
        return 0
    error = float(((got - want) ** 2).mean(dtype=numpy.float64))
    return 99 if error == 0 else min(99, 10 * numpy.log10(255 * 255 / error))


def compare(m, filtered, resized):
    out = {"psnr": -1, "resized": -1, "baseline": -1}
    if m.width * m.height > MAX_COMPARED:
        return out
    if filtered:
        out["psnr"] = psnr(weighted(Image.open(filtered)), weighted(m))
    if resized:
        got = Image.open(resized)
        want = m.resize(got.size, Image.Resampling.LANCZOS)
        out["resized"] = psnr(weighted(got), on_white_if_opaque(got, want))
        again = io.BytesIO()
        flat = want.convert("RGBA") if "A" in got.getbands() else flattened(want)
        flat.save(again, got.format, quality=QUALITY.get(got.format, 85))
        out["baseline"] = psnr(weighted(Image.open(again)), on_white_if_opaque(got, want))
    return out


def flattened(m):
    white = Image.new("RGBA", m.size, "white")
    white.alpha_composite(m)
    return white.convert("RGB")


def on_white_if_opaque(got, want):
    return weighted(want if "A" in got.getbands() or got.mode == "P" else flattened(want))


def peak_mib(reset):
    if reset:
        with open("/proc/self/clear_refs", "w") as f:
            f.write("5")
        return 0
    with open("/proc/self/status") as f:
        return next(int(line.split()[1]) for line in f if line.startswith("VmHWM")) / 1024


def cpu_ms():
    used = resource.getrusage(resource.RUSAGE_SELF)
    return 1000 * (used.ru_utime + used.ru_stime)


def answer(decode, path, filtered, resized):
    peak_mib(reset=True)
    before = cpu_ms()
    out = {"error": "", "width": 0, "height": 0}
    try:
        m = decode(path)
    except Exception as e:  # whatever a decoder raises is a refusal
        return out | {"error": f"{type(e).__name__}: {e}".strip().replace("\n", "; ")[:200] or "refused"}
    out |= {"width": m.width, "height": m.height, "cpu_ms": cpu_ms() - before, "rss_mib": peak_mib(reset=False)}
    return out | compare(m, filtered, resized)


def main():
    decode = {"pillow": by_pillow, "vips": by_vips}[sys.argv[1]]
    for line in sys.stdin:
        print(json.dumps(answer(decode, **json.loads(line))), flush=True)


if __name__ == "__main__":
    main()

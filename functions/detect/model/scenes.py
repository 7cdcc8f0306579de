#!/usr/bin/env python3
"""Renders the training images of the demo detector.

Objects are signed distance functions, ray-marched with numpy. The renderer knows
the exact outlines of the objects, so the boxes are exact too. There are two kinds
of images:

  table    a whole scene in three dimensions (a few tenths of a second each)
  collage  pre-rendered single objects with their shadows on backgrounds (a few
           milliseconds each; most of the training)

    scenes.py sample  OUT.jpg     the image of the README
    scenes.py preview OUT.jpg     a contact sheet
    scenes.py heldout DIR         images with ground truth for the Go tests
"""
import argparse
import io
import json
import os

import numpy as np
from PIL import Image, ImageFilter

from render import aa, camera, develop, ground_colour, hit, new_ground, new_room, over, place, render, shade, shadow
from shapes import CLASSES, DISTRACTORS, F, fbm, hsv, new_object, noise, rotation, smooth


def boxes_of(objects, ids, shrink=1):
    found = []
    for i, o in enumerate(objects):
        if o["kind"] not in CLASSES:
            continue
        y, x = np.nonzero(ids == i)
        if len(x):
            found.append([CLASSES.index(o["kind"]), x.min() / shrink, y.min() / shrink,
                          (x.max() + 1) / shrink, (y.max() + 1) / shrink])
    return np.array(found, F).reshape(-1, 5)


# --- table scenes ----------------------------------------------------------------

def table(rng, width, height, factor=1):
    """Renders a whole scene. Returns uint8 (H,W,3) and rows [class, x1, y1, x2, y2]."""
    while True:
        room, objects = new_room(rng), []
        room["light"][2] = abs(room["light"][2]) * rng.choice([1, 1, -0.4])
        for _ in range(int(rng.integers(2, 9))):
            kind = str(rng.choice(CLASSES)) if rng.random() < 0.85 else str(rng.choice(DISTRACTORS))
            o, size = new_object(kind, rng), rng.uniform(0.35, 0.85)
            for _ in range(12):
                x, z = rng.uniform(-3.4, 3.4), rng.uniform(-2.0, 2.4)
                if all(np.hypot(x - q["at"][0], z - q["at"][2]) > 0.85 * (size + q["size"]) for q in objects):
                    objects.append(place(o, x, z, size))
                    break
        cam = camera((rng.uniform(-1, 1), 0.5, rng.uniform(-0.6, 0.6)), rng.normal() * 0.25, rng.uniform(0.15, 0.75),
                     rng.uniform(4.5, 10), rng.uniform(0.6, 1.0), width * factor, height * factor)
        # A quick rendering of some columns finds hidden objects, which are removed.
        eye, rays, inside = cam
        objects = [o for o in objects if inside(o["at"])]
        d = rays(0, height * factor)[:, ::7]
        for _ in range(3):
            hits = np.stack([hit(o, eye, d) for o in objects]) if objects else np.zeros((0, 1))
            if not len(objects):
                break
            best, own = over(hits), np.isfinite(hits).sum(1)
            keep = [i for i in range(len(objects)) if own[i] > 8 and (best == i).sum() / own[i] > 0.45]
            if len(keep) == len(objects):
                break
            objects = [objects[i] for i in keep]
        if not objects:
            continue
        pic, ids, _ = render(objects, room, cam, width * factor, height * factor)
        rows = boxes_of(objects, ids, factor)
        side = max(width, height)
        # Slivers at the border have no useful label.
        if len(rows) and (np.maximum(rows[:, 3] - rows[:, 1], rows[:, 4] - rows[:, 2]) / side).min() > 0.05 \
                and (np.minimum(rows[:, 3] - rows[:, 1], rows[:, 4] - rows[:, 2]) / side).min() > 0.025:
            return develop(aa(pic, factor)), rows


# --- collages ----------------------------------------------------------------------

def sprite(kind, rng, side=176):
    """Renders one object. Returns uint8 RGBA and the strength of its shadow."""
    o, room = new_object(kind, rng), new_room(rng)
    room["bounce"] = room["bounce"] * F(rng.uniform(0.3, 1.2))
    cam = camera((0, o["low"] * 0.95, 0), rng.normal() * 0.2, rng.uniform(0.08, 0.85), 6.0, 0.62, side, side)
    eye, rays, _ = cam
    d = rays(0, side)
    t = hit(o, eye, d)
    w = np.nonzero(np.isfinite(t))[0]
    out = np.zeros((4, side * side), F)
    out[:3, w] = shade(o, eye + d[:, w] * t[w], d[:, w], [o], room)
    rgba = np.zeros((side * side, 4), np.uint8)
    rgba[:, :3] = develop(out[:3].T)
    rgba[w, 3] = 255
    dark = np.zeros(side * side, F)
    g = np.nonzero(d[1] < -0.02)[0]
    p = eye + d[:, g] * (-eye[1] / d[1, g])
    flat = np.hypot(p[0], p[2])
    lit = shadow(o, p, room["light"], room["soft"])
    # Shadows fade out before the border of the sprite.
    dark[g] = (1 - lit * (1 - 0.4 * smooth(1.2, 0.4, flat))) * smooth(3.2, 1.6, flat) * 0.75
    edge = np.minimum(np.arange(side), np.arange(side)[::-1]) / (side * 0.12)
    dark = dark.reshape(side, side) * np.clip(np.minimum(edge[:, None], edge[None]), 0, 1)
    return rgba.reshape(side, side, 4), (dark * 255).astype(np.uint8)


def background(rng, side=384):
    kind = rng.choice(["room", "room", "flat", "gradient", "noise", "blobs"])
    y, x = np.mgrid[0:side, 0:side].astype(F) / side
    if kind == "room":
        room = new_room(rng)
        cam = camera((0, rng.uniform(0, 1.2), 0), rng.normal() * 0.3, rng.uniform(0.1, 1.2), 7, 0.8, side, side)
        pic, _, _ = render([], room, cam, side, side)
    elif kind == "flat":
        s = rng.uniform(2, 9)
        pic = ground_colour(new_ground(rng), x.ravel() * s, y.ravel() * s).T.reshape(side, side, 3)
    else:
        a, b = (hsv(rng.random(), rng.uniform(0, 0.8), rng.uniform(0.25, 1)) for _ in range(2))
        if kind == "gradient":
            ang = rng.uniform(0, 6.3)
            m = np.clip((x - 0.5) * np.cos(ang) + (y - 0.5) * np.sin(ang) + 0.5, 0, 1)
        elif kind == "noise":
            s = 2 ** rng.uniform(1, 5)
            m = fbm(x * s, y * s, int(rng.integers(1 << 20)), 5)
        else:
            s = 2 ** rng.uniform(1, 4)
            m = smooth(0.45, 0.55, noise(x * s, y * s, int(rng.integers(1 << 20)))) * 0.7
        pic = a * (1 - m[..., None]) + b * m[..., None]
    return develop(pic)


class Bank:
    """Sprites and backgrounds for collages, rendered once."""

    def __init__(self, seed, sprites, backgrounds, pool=None):
        per = [(c, sprites) for c in CLASSES] + [(c, sprites // 5) for c in DISTRACTORS]
        jobs = [(k, (seed, 1, i, j)) for i, (k, n) in enumerate(per) for j in range(n)]
        run = pool.map if pool else lambda f, js, *_: list(map(f, js))
        self.sprites = {k: [] for k, _ in per}
        for (k, _), s in zip(jobs, run(_sprite_job, jobs, 8) if pool else run(_sprite_job, jobs)):
            self.sprites[k].append(s)
        bgs = [(seed, 2, j) for j in range(backgrounds)]
        self.backgrounds = run(_background_job, bgs, 4) if pool else run(_background_job, bgs)

    def collage(self, rng, width, height):
        long = max(width, height)
        bg = Image.fromarray(self.backgrounds[rng.integers(len(self.backgrounds))])
        crop = rng.uniform(0.5, 1)
        cw, ch = bg.width * crop * width / long, bg.height * crop * height / long
        x, y = rng.uniform(0, bg.width - cw), rng.uniform(0, bg.height - ch)
        pic = np.asarray(bg.resize((width, height), Image.BILINEAR, (x, y, x + cw, y + ch)), F).copy()
        if rng.random() < 0.5:
            pic = pic[:, ::-1].copy()
        ids, placed = np.full((height, width), -1), []
        for _ in range(int(rng.integers(1, 9)) if rng.random() > 0.04 else 0):
            kind = str(rng.choice(CLASSES)) if rng.random() < 0.87 else str(rng.choice(DISTRACTORS))
            rgba, dark = self.sprites[kind][rng.integers(len(self.sprites[kind]))]
            ys, xs = np.nonzero(rgba[..., 3])
            extent = max(np.ptp(xs), np.ptp(ys)) + 1
            scale = np.exp(rng.uniform(np.log(0.07), np.log(0.68))) * long / extent
            n = max(8, round(rgba.shape[0] * scale))
            im, sh = Image.fromarray(rgba), Image.fromarray(dark)
            if n < 1.5 * rgba.shape[0]:
                im, sh = im.resize((n, n), Image.BOX if scale < 0.6 else Image.BILINEAR), sh.resize((n, n), Image.BILINEAR)
            else:
                im, sh = im.resize((n, n), Image.BICUBIC), sh.resize((n, n), Image.BILINEAR)
            turn = float(np.clip(rng.normal() * 7, -25, 25)) if rng.random() < 0.5 else 0.0
            if turn:
                im, sh = im.rotate(turn, Image.BILINEAR), sh.rotate(turn, Image.BILINEAR)
            if rng.random() < 0.5:
                im, sh = im.transpose(Image.FLIP_LEFT_RIGHT), sh.transpose(Image.FLIP_LEFT_RIGHT)
            im, sh = np.asarray(im, F), np.asarray(sh, F) / 255
            ys, xs = np.nonzero(im[..., 3] > 127)
            if not len(xs):
                continue
            ox, oy, x1, y1 = xs.min(), ys.min(), xs.max() + 1, ys.max() + 1
            bw, bh = x1 - ox, y1 - oy
            for _ in range(6):
                # Up to a quarter of an object may be outside the image.
                out = 0.25 if rng.random() < 0.2 else 0.0
                px = int(rng.uniform(-out * bw, max(width - (1 - out) * bw, 1))) - ox
                py = int(rng.uniform(-out * bh, max(height - (1 - out) * bh, 1))) - oy
                u0, v0 = max(0, -px), max(0, -py)
                u1, v1 = min(n, width - px), min(n, height - py)
                if u1 <= u0 or v1 <= v0:
                    continue
                mask = im[v0:v1, u0:u1, 3] > 127
                view = ids[py + v0:py + v1, px + u0:px + u1]
                whole = (im[..., 3] > 127).sum()
                if mask.sum() < 0.6 * whole:
                    continue
                # At least 55 % of every object below must stay visible.
                hidden = [(view[mask] == i).sum() for i in range(len(placed))]
                if any(h and ((ids == i).sum() - h) < 0.55 * placed[i][1] for i, h in enumerate(hidden)):
                    continue
                part, a = pic[py + v0:py + v1, px + u0:px + u1], im[v0:v1, u0:u1, 3:] / 255
                part *= 1 - sh[v0:v1, u0:u1, None] * (1 - a)
                part[:] = part * (1 - a) + im[v0:v1, u0:u1, :3] * a
                view[mask] = len(placed)
                placed.append(({"kind": kind}, whole))
                break
        return np.clip(pic, 0, 255).astype(np.uint8), boxes_of([p for p, _ in placed], ids)


def _sprite_job(job):
    return sprite(job[0], np.random.default_rng(job[1]))


def _background_job(seed):
    return background(np.random.default_rng(seed))


def _table_job(job):
    seed, w, h, factor = job
    return table(np.random.default_rng(seed), w, h, factor)


def wear(pic, rng):
    """Adds the defects of cameras and codecs: exposure, colour, noise, blur, compression."""
    x = pic.astype(F)
    if rng.random() < 0.8:
        gamma = F(np.exp(rng.normal() * 0.2))
        x = 255 * (x / 255) ** gamma * (rng.uniform(0.75, 1.2) * (1 + rng.normal(size=3) * 0.05)).astype(F)
    if rng.random() < 0.3:
        x = x + rng.normal(size=x.shape).astype(F) * rng.uniform(1, 9)
    im = Image.fromarray(np.clip(x, 0, 255).astype(np.uint8))
    if rng.random() < 0.2:
        im = im.filter(ImageFilter.GaussianBlur(rng.uniform(0.3, 1.1)))
    if rng.random() < 0.5:
        buf = io.BytesIO()
        im.save(buf, "JPEG", quality=int(rng.integers(35, 95)))
        im = Image.open(buf)
    return np.asarray(im.convert("RGB"))


def letterbox(pic, side):
    """Scales an image into a square with grey padding (114), as the Go code does."""
    h, w = pic.shape[:2]
    s = side / max(w, h)
    nw, nh = round(w * s), round(h * s)
    if (nw, nh) != (w, h):
        pic = np.asarray(Image.fromarray(pic).resize((nw, nh), Image.BILINEAR))
    out = np.full((side, side, 3), 114, np.uint8)
    x, y = (side - nw) // 2, (side - nh) // 2
    out[y:y + nh, x:x + nw] = pic
    return out, s, x, y


# --- the image of the README -------------------------------------------------------------

def sample(width=1920, height=1080, factor=2):
    rng = np.random.default_rng(7)
    room = new_room(rng)
    light = np.array([-0.7, 0.72, 0.38])
    room.update(light=(light / np.linalg.norm(light)).astype(F), key=np.array([1.08, 1.0, 0.88], F), soft=9.0,
                sky=np.array([0.27, 0.31, 0.37], F), bounce=np.array([0.16, 0.11, 0.07], F),
                fill_power=0.25, wall_z=-4.2, mirror=0.2)
    room["fill"] = np.array([0.8, 0.4, 0.45], F)
    window = np.array([-0.5, 0.62, 0.6])
    room["window"] = (window / np.linalg.norm(window)).astype(F)
    room["ground"].update(kind="wood", wood=hsv(0.075, 0.6, 0.74), scale=0.75, turn=0.12, seed=5)
    room["wall"].update(kind="plain", a=hsv(0.50, 0.22, 0.78), b=hsv(0.52, 0.3, 0.7), scale=0.6)

    def make(kind, x, z, size, turn, low, colours, style=0, **kw):
        o = new_object(kind, np.random.default_rng(3))
        o.update(kw, style=style, colours=tuple(colours), turn=turn, low=low)
        return place(o, x, z, size)

    white, ink, cream = np.full(3, 0.85, F), np.full(3, 0.02, F), hsv(0.12, 0.18, 0.95)
    objects = [
        make("bottle", -2.55, -0.7, 1.25, rotation(0), 1.0,
             (hsv(0.40, 0.85, 0.36), cream, hsv(0.10, 0.75, 0.85)), 1, rad=0.35, shoulder=0.34, shine=0.8, power=110),
        make("book", -1.0, -1.75, 1.12, rotation(0.25, np.pi / 2), 0.95,
             (hsv(0.60, 0.75, 0.55), hsv(0.12, 0.55, 0.95), cream), 1, w=0.72, h=0.95, t=0.2, shine=0.25),
        make("cone", 2.8, -0.9, 1.0, rotation(0.5), 0.95, (hsv(0.045, 0.92, 0.98), white, white), 1, shine=0.3, power=40),
        make("mug", 0.95, -0.5, 0.92, rotation(-0.45), 0.75,
             (hsv(0.985, 0.72, 0.80), white, white), 0, rad=0.6, shine=0.6, power=90),
        make("book", 2.35, 1.25, 0.7, rotation(-0.5), 0.2,
             (hsv(0.46, 0.7, 0.5), cream, hsv(0.1, 0.7, 0.9)), 1, w=0.7, h=0.95, t=0.2, shine=0.3),
        make("ball", -0.75, 0.35, 0.62, rotation(0.9, 0.5, 0.35), 1.0,
             (hsv(0.13, 0.8, 0.97), hsv(0.58, 0.75, 0.8), white), 1, shine=0.55, power=70),
        make("die", 0.62, 1.45, 0.5, rotation(0.55), 0.62, (white, ink, ink), shine=0.5, power=80),
        make("die", -1.95, 1.5, 0.46, rotation(-0.35, np.pi / 2), 0.62,
             (hsv(0.99, 0.85, 0.75), white, white), shine=0.55, power=80),
    ]
    cam = camera((0.15, 0.78, 0), 0.0, 0.36, 9.3, 0.80, width * factor, height * factor)
    pic, ids, seen = render(objects, room, cam, width * factor, height * factor)
    return develop(aa(pic, factor)), boxes_of(objects, ids, factor)


def to_json(rows):
    return [dict(class_name=CLASSES[int(r[0])], class_id=int(r[0]), x1=round(float(r[1]), 1), y1=round(float(r[2]), 1),
                 x2=round(float(r[3]), 1), y2=round(float(r[4]), 1)) for r in rows]


def write_index(path, index):
    with open(path, "w") as f:
        json.dump(index, f, indent=1)
        f.write("\n")


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("what", choices=["sample", "preview", "heldout"])
    ap.add_argument("out")
    ap.add_argument("--seed", type=int, default=20261124, help="of preview and heldout (default %(default)s)")
    ap.add_argument("--factor", type=int, default=2, help="supersampling of the sample image (default %(default)s)")
    args = ap.parse_args()
    if args.what == "sample":
        pic, _ = sample(factor=args.factor)
        Image.fromarray(pic).save(args.out, quality=90, optimize=True)
    elif args.what == "preview":
        bank, tiles = Bank(args.seed, 10, 12), []
        for i in range(12):
            rng = np.random.default_rng((args.seed, 3, i))
            pic, rows = table(rng, 320, 240) if i % 3 == 2 else bank.collage(rng, 320, 240)
            pic = wear(pic, rng).copy()
            for _, x1, y1, x2, y2 in rows.astype(int):
                pic[y1:y2, [x1, x2 - 1]] = pic[[y1, y2 - 1], x1:x2] = (255, 0, 255)
            tiles.append(pic)
        Image.fromarray(np.vstack([np.hstack(tiles[i:i + 4]) for i in (0, 4, 8)])).save(args.out)
    else:
        os.makedirs(os.path.join(args.out, "heldout"), exist_ok=True)
        bank, index = Bank(args.seed, 12, 12), []
        for i in range(10):
            rng = np.random.default_rng((args.seed, 4, i))
            pic, rows = bank.collage(rng, 640, 480) if i % 4 == 3 else table(rng, 640, 480, 2)
            name = f"heldout/{i:03d}.jpg"
            Image.fromarray(pic).save(os.path.join(args.out, name), quality=85)
            index.append(dict(file=name, objects=to_json(rows)))
        write_index(os.path.join(args.out, "heldout.json"), index)


if __name__ == "__main__":
    main()

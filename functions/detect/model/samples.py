#!/usr/bin/env python3
"""Renders the console's sample images, 1200 × 800 each, with the objects that the demo detector knows.

    samples.py [--factor N] DIR [NAME ...]
"""
import argparse
import os

import numpy as np
from PIL import Image

from render import aa, camera, develop, new_room, place, render
from shapes import F, hsv, new_object, rotation

WIDTH, HEIGHT = 1200, 800
WHITE, INK, CREAM = np.full(3, 0.85, F), np.full(3, 0.02, F), hsv(0.12, 0.18, 0.95)


def make(kind, x, z, size, turn, low, colours, style=0, **shape):
    """An object at (x, z) on the ground. low is its lowest point below its centre, as a part of size."""
    o = new_object(kind, np.random.default_rng(3))
    o.update(shape, style=style, colours=tuple(colours), turn=turn, low=low)
    return place(o, x, z, size)


def room_of(ground, wall, light, soft, key, sky, wall_z=-4.2):
    room = new_room(np.random.default_rng(7))
    unit = [np.array(v, float) / np.linalg.norm(v) for v in (light, (-0.5, 0.62, 0.6), (0.8, 0.4, 0.45))]
    room.update(light=unit[0].astype(F), window=unit[1].astype(F), fill=unit[2].astype(F), fill_power=0.25, soft=soft,
                key=np.array(key, F), sky=np.array(sky, F), bounce=np.array([0.14, 0.11, 0.08], F), wall_z=wall_z)
    room["ground"].update(ground)
    room["wall"].update(wall)
    return room


def desk():
    """Books, a mug and dice in the light of the evening."""
    room = room_of(dict(kind="wood", wood=hsv(0.065, 0.62, 0.55), scale=0.7, turn=0.08, seed=11),
                   dict(kind="plain", a=hsv(0.62, 0.35, 0.42), b=hsv(0.6, 0.3, 0.36), scale=0.6),
                   (0.75, 0.62, 0.42), 7, (1.25, 0.98, 0.70), (0.22, 0.26, 0.36))
    standing = [make("book", -2.35 + 0.62 * i, -1.1, size, rotation(np.pi / 2 + lean, np.pi / 2), 0.95,
                     (hsv(hue, 0.75, 0.6), CREAM, hsv(0.12, 0.6, 0.9)), 1, w=0.7, h=0.95, t=0.2, shine=0.25)
                for i, (hue, size, lean) in enumerate([(0.01, 1.05, 0.9), (0.56, 1.2, 0.7)])]
    return room, (0, 0.62, 0), 0.40, [
        *standing,
        make("mug", 1.75, -0.55, 0.95, rotation(-0.5), 0.75, (hsv(0.47, 0.65, 0.62), CREAM, WHITE), 1, rad=0.6, shine=0.6, power=90),
        make("book", 0.1, 0.75, 0.85, rotation(0.45), 0.2,
             (hsv(0.09, 0.8, 0.85), CREAM, hsv(0.58, 0.6, 0.5)), 1, w=0.7, h=0.95, t=0.2, shine=0.3),
        make("die", 1.85, 1.5, 0.42, rotation(0.5), 0.62, (WHITE, INK, INK), shine=0.5, power=80),
        make("die", -1.75, 1.45, 0.42, rotation(-0.4, np.pi / 2), 0.62, (hsv(0.99, 0.85, 0.7), WHITE, WHITE), shine=0.5, power=80),
    ]


def yard():
    """Balls and cones in the sun."""
    room = room_of(dict(kind="plain", a=hsv(0.08, 0.10, 0.72), b=hsv(0.09, 0.16, 0.58), scale=1.4, seed=3),
                   dict(kind="stripes", a=hsv(0.58, 0.35, 0.85), b=hsv(0.58, 0.3, 0.78), scale=0.5, turn=0),
                   (-0.6, 0.8, 0.45), 12, (1.15, 1.08, 0.95), (0.32, 0.38, 0.46), wall_z=-5)
    cones = [make("cone", x, z, size, rotation(turn), 0.95, (hsv(0.04, 0.92, 0.98), WHITE, WHITE), 1, shine=0.3, power=40)
             for x, z, size, turn in ((-2.7, -1.2, 1.0, 0.3), (2.75, -0.7, 0.95, 0.6), (0.35, -2.2, 0.95, 0.2))]
    return room, (0, 0.65, 0), 0.42, [
        *cones,
        make("ball", -1.0, 0.1, 0.85, rotation(0.9, 0.5, 0.35), 1.0,
             (hsv(0.13, 0.8, 0.97), hsv(0.58, 0.75, 0.8), WHITE), 1, shine=0.5, power=70),
        make("ball", 1.25, 0.75, 0.68, rotation(0.4, 0.9, 0.2), 1.0, (hsv(0.055, 0.8, 0.85), WHITE, WHITE), 4, shine=0.25, power=40),
        make("ball", -2.35, 1.55, 0.42, rotation(0.7, 0.2, 0.5), 1.0, (hsv(0.19, 0.75, 0.9), WHITE, WHITE), 3, shine=0.2, power=30),
    ]


def kitchen():
    """Bottles and mugs on a checked cloth."""
    room = room_of(dict(kind="check", a=hsv(0.6, 0.08, 0.9), b=hsv(0.60, 0.42, 0.62), scale=0.4, turn=0.5),
                   dict(kind="plain", a=hsv(0.14, 0.25, 0.9), b=hsv(0.13, 0.2, 0.82), scale=0.6),
                   (-0.7, 0.72, 0.38), 9, (1.08, 1.0, 0.9), (0.30, 0.33, 0.37))
    bottles = [make("bottle", x, z, size, rotation(0), 1.0, (hsv(hue, 0.85, 0.4), CREAM, hsv(0.1, 0.75, 0.85)), 1,
                    rad=0.35, shoulder=0.34, shine=0.8, power=110)
               for x, z, size, hue in ((-2.3, -0.6, 1.25, 0.38), (0.15, -1.5, 1.3, 0.07))]
    return room, (0, 0.78, 0), 0.36, [
        *bottles,
        make("mug", -0.85, 0.55, 0.82, rotation(-0.6), 0.75, (hsv(0.985, 0.72, 0.80), WHITE, WHITE), 0, rad=0.6, shine=0.6, power=90),
        make("mug", 2.2, -0.35, 0.9, rotation(-2.5), 0.75, (hsv(0.57, 0.6, 0.72), CREAM, WHITE), 2, rad=0.58, shine=0.6, power=90),
        make("ball", 1.1, 1.2, 0.45, rotation(0.2, 0.4), 1.0, (hsv(0.0, 0.85, 0.75), WHITE, WHITE), 0, shine=0.7, power=90),
    ]


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("out")
    ap.add_argument("names", nargs="*")
    ap.add_argument("--factor", type=int, default=2, help="supersampling (default %(default)s)")
    args = ap.parse_args()
    scenes = {f.__name__: f for f in (desk, yard, kitchen)}
    for name in args.names or scenes:
        room, look, pitch, objects = scenes[name]()
        size = WIDTH * args.factor, HEIGHT * args.factor
        pic, _, _ = render(objects, room, camera(look, 0.0, pitch, 9.3, 0.78, *size), *size)
        Image.fromarray(develop(aa(pic, args.factor))).save(os.path.join(args.out, name + ".jpg"), quality=80, optimize=True)


if __name__ == "__main__":
    main()

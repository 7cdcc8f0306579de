"""The objects: their shapes, colours and random proportions.

A shape is a signed distance function: the distance of a point from the surface,
negative inside. Points are (3,N) arrays; y points up. Objects are about two units
tall and centred at the origin.
"""
import numpy as np

CLASSES = ["ball", "mug", "bottle", "book", "cone", "die"]
DISTRACTORS = ["can", "ring", "brick", "capsule"]  # rendered but never labelled
F = np.float32


# --- helpers ------------------------------------------------------------------

def hsv(h, s, v):
    """Returns a colour in linear light. The hue is in turns."""
    k = (np.array([5.0, 3.0, 1.0]) + 6 * h) % 6
    return ((v - v * s * np.clip(np.minimum(k, 4 - k), 0, 1)) ** 2.2).astype(F)


def noise(x, y, seed=0):
    """Returns smooth value noise in 0..1 on a hashed lattice."""
    xi, yi = np.floor(x).astype(np.int64), np.floor(y).astype(np.int64)
    fx, fy = (x - xi).astype(F), (y - yi).astype(F)
    fx, fy = fx * fx * (3 - 2 * fx), fy * fy * (3 - 2 * fy)

    def at(a, b):
        n = (a * 374761393 + b * 668265263 + seed * 974634777) & 0xFFFFFFFF
        n = ((n ^ (n >> 13)) * 1274126177) & 0xFFFFFFFF
        return ((n ^ (n >> 16)) & 0xFFFF).astype(F) / F(65535)

    return (at(xi, yi) * (1 - fx) + at(xi + 1, yi) * fx) * (1 - fy) + \
           (at(xi, yi + 1) * (1 - fx) + at(xi + 1, yi + 1) * fx) * fy


def fbm(x, y, seed=0, octaves=4):
    return sum(noise(x * 2 ** i, y * 2 ** i, seed + i) / 2 ** (i + 1) for i in range(octaves))


def rotation(yaw, pitch=0.0, roll=0.0):
    def about(i, j, a):
        m = np.eye(3)
        m[i, i] = m[j, j] = np.cos(a)
        m[i, j], m[j, i] = -np.sin(a), np.sin(a)
        return m
    return (about(2, 0, yaw) @ about(1, 2, pitch) @ about(0, 1, roll)).astype(F)


def smooth(lo, hi, x):
    x = np.clip((x - lo) / (hi - lo), 0, 1)
    return x * x * (3 - 2 * x)


# --- shapes: distance from p (3,N) to the surface, y up, about unit size -------

def box(p, hx, hy, hz, r=0.0, cx=0.0, cy=0.0, cz=0.0):
    x, y, z = np.abs(p[0] - F(cx)) - F(hx - r), np.abs(p[1] - F(cy)) - F(hy - r), np.abs(p[2] - F(cz)) - F(hz - r)
    outside = np.sqrt(np.maximum(x, 0) ** 2 + np.maximum(y, 0) ** 2 + np.maximum(z, 0) ** 2)
    return outside + np.minimum(np.maximum(x, np.maximum(y, z)), 0) - F(r)


def cylinder(p, radius, half, r=0.0, cy=0.0):
    a, b = np.sqrt(p[0] ** 2 + p[2] ** 2) - F(radius - r), np.abs(p[1] - F(cy)) - F(half - r)
    return np.sqrt(np.maximum(a, 0) ** 2 + np.maximum(b, 0) ** 2) + np.minimum(np.maximum(a, b), 0) - F(r)


def smin(a, b, k):
    h = np.maximum(k - np.abs(a - b), 0) / F(k)
    return np.minimum(a, b) - h * h * F(k / 4)


def torus_z(p, cx, major, minor):
    q = np.sqrt((p[0] - F(cx)) ** 2 + p[1] ** 2) - F(major)
    return np.sqrt(q * q + p[2] ** 2) - F(minor)


def d_ball(p, o):
    return np.sqrt(p[0] ** 2 + p[1] ** 2 + p[2] ** 2) - F(1)


def d_mug(p, o):
    rad, half = o["rad"], 0.75
    body = cylinder(p, rad, half, 0.06)
    handle = torus_z(p, rad + 0.06, 0.36, 0.085)
    hollow = cylinder(p, rad - 0.09, half, 0.05, cy=0.12)
    return np.maximum(smin(body, handle, 0.06), -hollow)


def d_bottle(p, o):
    body = cylinder(p, o["rad"], 0.62, 0.08, cy=-0.38)
    neck = cylinder(p, 0.13, 0.42, 0.02, cy=0.48)
    cap = cylinder(p, 0.165, 0.09, 0.02, cy=0.91)
    return np.minimum(smin(body, neck, o["shoulder"]), cap)


def book_parts(p, o):
    w, h, t = o["w"], o["h"], o["t"]
    pages = box(p, w - 0.05, t - 0.035, h - 0.05, cx=-0.03)
    covers = np.minimum(box(p, w, 0.03, h, 0.02, cy=t - 0.03), box(p, w, 0.03, h, 0.02, cy=0.03 - t))
    return pages, np.minimum(covers, box(p, 0.03, t, h, 0.02, cx=0.03 - w))


def d_book(p, o):
    return np.minimum(*book_parts(p, o))


def d_cone(p, o):
    base = box(p, 0.6, 0.06, 0.6, 0.04, cy=-0.89)
    # A truncated cone: the distance of the slope, clipped by two planes.
    slope = (np.sqrt(p[0] ** 2 + p[2] ** 2) - (F(0.27) - p[1] * F(0.19))) * F(0.982)
    return np.minimum(base, np.maximum(slope, np.maximum(p[1] - F(0.95), F(-0.9) - p[1])))


def d_die(p, o):
    # The sphere cuts the corners, as on real dice.
    return np.maximum(box(p, 0.62, 0.62, 0.62, 0.1), np.sqrt((p * p).sum(0)) - F(0.93))


def d_can(p, o):
    return cylinder(p, o["rad"], 0.75, 0.05)


def d_ring(p, o):
    q = np.sqrt(p[0] ** 2 + p[2] ** 2) - F(0.72)
    return np.sqrt(q * q + p[1] ** 2) - F(0.22)


def d_brick(p, o):
    return box(p, o["w"], o["t"], o["h"], 0.05)


def d_capsule(p, o):
    x = p[0] - np.clip(p[0], -0.62, 0.62)
    return np.sqrt(x * x + p[1] ** 2 + p[2] ** 2) - F(0.3)


DIST = {n[2:]: f for n, f in list(globals().items()) if n.startswith("d_")}
BOUND = dict(ball=1.01, mug=1.2, bottle=1.08, book=1.3, cone=1.3, die=0.95, can=0.98, ring=0.96, brick=1.25, capsule=0.94)

# Pips on the faces +x -x +y -y +z -z; opposite faces add up to seven.
_G = 0.3
PIPS = {1: [(0, 0)], 2: [(-_G, -_G), (_G, _G)], 3: [(-_G, -_G), (0, 0), (_G, _G)],
        4: [(-_G, -_G), (-_G, _G), (_G, -_G), (_G, _G)]}
PIPS[5] = PIPS[4] + [(0, 0)]
PIPS[6] = PIPS[4] + [(-_G, 0), (_G, 0)]
FACES = [(0, 1, 1), (0, -1, 6), (1, 1, 2), (1, -1, 5), (2, 1, 3), (2, -1, 4)]


def albedo(p, o):
    """Returns the colour (3,N) of an object's surface at p, in linear light."""
    kind, (a, b, c) = o["kind"], o["colours"]
    n = p.shape[1]

    def mix(base, over, where):
        w = np.asarray(where, F)
        return base * (1 - w) + over[:, None] * w

    col = np.repeat(a[:, None], n, 1)
    if kind == "ball":
        style, ang = o["style"], np.arctan2(p[2], p[0])
        if style == 1:  # a beach ball
            seg = (ang / (2 * np.pi) * 6) % 6
            col = mix(col, b, (seg.astype(int) % 2) == 1)
            col = mix(col, np.full(3, 0.85, F), np.abs(p[1]) > 0.95)
        elif style == 2:  # a belt
            col = mix(col, b, np.abs(p[1]) < 0.28)
        elif style == 3:  # a seam, as on a tennis ball
            seam = np.abs(p[1] - 0.45 * np.sin(2 * ang) * np.sqrt(np.maximum(1 - p[1] ** 2, 0)))
            col = mix(col, b, smooth(0.07, 0.045, seam))
        elif style == 4:  # basketball lines
            line = np.minimum(np.minimum(np.abs(p[0]), np.abs(p[1])), np.abs(p[0] ** 2 + 0.6 * p[2] ** 2 - 0.45))
            col = mix(col, b * F(0.1), smooth(0.04, 0.025, line))
    elif kind == "mug":
        radial = np.sqrt(p[0] ** 2 + p[2] ** 2)
        if o["style"] == 1:
            col = mix(col, b, (np.abs(p[1] - 0.1) < 0.2) & (radial < o["rad"] + 0.02))
        elif o["style"] == 2:
            col = mix(col, b, p[1] < -0.2)
        inside = (radial < o["rad"] - 0.05) & (p[1] > -0.6) & (p[1] < 0.74)
        col = mix(col, c if o["style"] else np.full(3, 0.8, F), inside)
    elif kind == "bottle":
        col = mix(col, b, (p[1] < -0.05) & (p[1] > -0.75) & (np.sqrt(p[0] ** 2 + p[2] ** 2) > o["rad"] * 0.8))
        if o["style"]:
            col = mix(col, c, (p[1] < -0.3) & (p[1] > -0.48) & (np.sqrt(p[0] ** 2 + p[2] ** 2) > o["rad"] * 0.8))
        col = mix(col, c, p[1] > 0.815)
    elif kind == "book":
        pages, cover = book_parts(p, o)
        w, h, t = o["w"], o["h"], o["t"]
        if o["style"]:  # a title field and a stripe on the covers
            face = np.abs(p[1]) > t - 0.02
            col = mix(col, b, face & (np.abs(p[0]) < w * 0.6) & (np.abs(p[2] + h * 0.35) < h * 0.22))
            col = mix(col, c, face & (np.abs(p[2] - h * 0.6) < h * 0.07))
        col = mix(col, b, (p[0] < 0.02 - w) & (np.abs(np.abs(p[2]) - h * 0.6) < h * 0.08))
        leaves = 0.72 + 0.1 * np.sin(p[1] * 160)
        paper = np.stack([leaves, leaves * 0.95, leaves * 0.8]).astype(F)
        col = np.where(pages < cover, paper, col)
    elif kind == "cone":
        bands = (np.abs(p[1] - 0.25) < 0.17) | ((np.abs(p[1] + 0.4) < 0.14) & (o["style"] == 1))
        col = mix(col, np.full(3, 0.82, F), bands)
        col = mix(col, a * F(0.8) if o["style"] else np.full(3, 0.03, F), p[1] < -0.825)
    elif kind == "die":
        for axis, sign, number in FACES:
            u, v = p[(axis + 1) % 3], p[(axis + 2) % 3]
            face = p[axis] * sign > 0.55
            for pu, pv in PIPS[number]:
                dist = np.sqrt((u - pu) ** 2 + (v - pv) ** 2)
                col = mix(col, b, face * smooth(0.145, 0.115, dist))
    elif kind == "can":
        col = mix(col, b, np.abs(p[1]) < 0.5)
        col = mix(col, np.full(3, 0.5, F), np.abs(p[1]) > 0.7)
    return col


def new_object(kind, rng):
    """An object of random colours and proportions, standing on y=0 at the origin."""
    hue = rng.random()
    a = hsv(hue, rng.uniform(0.35, 0.95), rng.uniform(0.35, 0.95))
    b = hsv(hue + rng.uniform(0.25, 0.75), rng.uniform(0.1, 0.9), rng.uniform(0.55, 0.98))
    c = hsv(rng.random(), rng.uniform(0.0, 0.8), rng.uniform(0.3, 0.98))
    if rng.random() < 0.2:
        a = hsv(hue, 0.08, rng.uniform(0.15, 0.95))  # white, grey and black things exist too
    yaw, pitch, roll, shine, power = rng.uniform(0, 2 * np.pi), 0.0, 0.0, rng.uniform(0.15, 0.6), rng.uniform(20, 120)
    o = dict(kind=kind, style=int(rng.integers(0, 5 if kind == "ball" else 3 if kind == "mug" else 2)))
    if kind == "ball":
        pitch, roll, low = rng.uniform(0, 6.3), rng.uniform(0, 6.3), 1.0
        if o["style"] == 3 and rng.random() < 0.7:
            a, b = hsv(0.19, 0.75, 0.9), np.full(3, 0.85, F)
        if o["style"] == 4:
            a = hsv(rng.uniform(0.04, 0.08), 0.8, 0.85)
    elif kind == "mug":
        # The handle, at +x, never hides wholly behind: a mug without one is a can.
        o["rad"], low, yaw = rng.uniform(0.5, 0.66), 0.75, rng.uniform(-np.pi * 0.15, np.pi * 1.15)
        yaw = -yaw
    elif kind == "bottle":
        o["rad"], o["shoulder"], low = rng.uniform(0.27, 0.4), rng.uniform(0.15, 0.4), 1.0
        shine, power = rng.uniform(0.5, 0.9), rng.uniform(60, 160)
        if rng.random() < 0.5:
            a = hsv(rng.choice([0.33, 0.09, 0.58]), 0.8, rng.uniform(0.2, 0.55))  # glass
    elif kind == "book":
        o["w"], o["h"], o["t"] = rng.uniform(0.58, 0.78), rng.uniform(0.85, 1.0), rng.uniform(0.12, 0.26)
        low = o["t"]
        if rng.random() < 0.4:  # standing
            pitch, low = np.pi / 2, o["h"]
        shine *= 0.5
    elif kind == "cone":
        low = 0.95
        if rng.random() < 0.7:
            a = hsv(rng.uniform(0.02, 0.07), 0.92, 0.98)
        shine *= 0.5
    elif kind == "die":
        pitch, roll, low = rng.integers(4) * np.pi / 2, rng.integers(4) * np.pi / 2, 0.62
        if rng.random() < 0.5:
            a = np.full(3, rng.uniform(0.7, 0.9), F)
        b = np.full(3, 0.02 if a.mean() > 0.3 else 0.85, F)
    elif kind == "can":
        o["rad"], low = rng.uniform(0.4, 0.6), 0.75
    elif kind == "ring":
        low = 0.22
    elif kind == "brick":
        o["w"], o["h"], o["t"] = rng.uniform(0.3, 0.5), rng.uniform(0.85, 1.0), rng.uniform(0.2, 0.35)
        low = o["t"]
    elif kind == "capsule":
        low = 0.3
    turn = rotation(yaw, pitch, roll)
    if kind == "bottle" and rng.random() < 0.12:  # lying
        turn, low = rotation(yaw) @ rotation(0, np.pi / 2), o["rad"]
    o.update(colours=(a, b, c), turn=turn, low=low, size=1.0, shine=shine, power=power, at=np.array([0, low, 0], F))
    return o

"""Ray-marches objects on a table in front of a wall, with soft shadows, highlights and exact outlines."""
import numpy as np

from shapes import BOUND, DIST, F, albedo, fbm, hsv, noise, smooth


# --- the renderer --------------------------------------------------------------

def place(o, x, z, size):
    o["size"], o["at"] = size, np.array([x, o["low"] * size, z], F)
    return o


def local(o, p):
    return o["turn"].T @ ((p - o["at"][:, None]) / F(o["size"]))


def span(o, origin, d, grow=1.0):
    """Returns where rays enter and leave an object's bounding sphere, in units of the object."""
    b = (origin * d).sum(0)
    c = (origin * origin).sum(0) - F((BOUND[o["kind"]] * grow) ** 2)
    disc = b * b - c
    root = np.sqrt(np.maximum(disc, 0))
    return np.maximum(-b - root, 0), np.where(disc > 0, -b + root, -1)


def hit(o, origin, d):
    """Returns the distance along each ray to the object, inf if the ray misses it."""
    origin, d = local(o, origin), o["turn"].T @ d
    t, end = span(o, origin, d)
    out = np.full(t.shape, np.inf, F)
    idx = np.nonzero(end > t)[0]
    t, dist = t[idx].astype(F), DIST[o["kind"]]
    org, dr, end = origin[:, idx] if origin.shape[1] > 1 else origin, d[:, idx], end[idx]
    for _ in range(56):
        if not len(idx):
            break
        h = dist(org + dr * t, o)
        t = t + h * F(0.95)
        done = h < 0.0025
        out[idx[done]] = t[done] * F(o["size"])
        keep = ~done & (t < end)
        idx, t, dr, end = idx[keep], t[keep], dr[:, keep], end[keep]
        if org.shape[1] > 1:
            org = org[:, keep]
    return out


def shadow(o, p, light, soft):
    """Returns the fraction of the light that passes this object and reaches p."""
    origin = local(o, p)
    d = (o["turn"].T @ light)[:, None]
    t, end = span(o, origin, d, 1.3)  # a soft shadow is larger than the object
    out = np.ones(t.shape, F)
    idx = np.nonzero(end > t)[0]
    t, end, dist = np.maximum(t[idx], 0.03).astype(F), end[idx], DIST[o["kind"]]
    org, res = origin[:, idx], np.ones(len(idx), F)
    for _ in range(26):
        if not len(idx):
            break
        h = dist(org + d * t, o)
        res = np.minimum(res, 0.5 + 0.5 * soft * h / (t + F(0.15)))
        t = t + np.clip(h, 0.035, 0.3)
        keep = (t < end) & (res > 0)
        gone = ~keep
        out[idx[gone]] = np.clip(res[gone], 0, 1)
        idx, t, end, org, res = idx[keep], t[keep], end[keep], org[:, keep], res[keep]
    out[idx] = np.clip(res, 0, 1)
    return out * out * (3 - 2 * out)


def camera(look, yaw, pitch, dist, fov, width, height):
    """Returns the eye (3,1), a function from rows to unit rays (3,N), and a function that
    reports whether a point is in the image."""
    fwd = -np.array([np.sin(yaw) * np.cos(pitch), np.sin(pitch), np.cos(yaw) * np.cos(pitch)])
    right = np.cross(fwd, [0, 1, 0])
    right /= np.linalg.norm(right)
    up = np.cross(right, fwd)
    eye = np.asarray(look, float) - fwd * dist
    scale = np.tan(fov / 2) / (max(width, height) / 2)

    def rays(row0, row1):
        y, x = np.mgrid[row0:row1, 0:width]
        x, y = (x.ravel() + 0.5 - width / 2) * scale, -(y.ravel() + 0.5 - height / 2) * scale
        d = fwd[:, None] + right[:, None] * x + up[:, None] * y
        return (d / np.linalg.norm(d, axis=0)).astype(F)

    def inside(p):
        v = p - eye
        depth = v @ fwd
        return depth > 0 and abs(v @ right) < depth * scale * width / 2 and abs(v @ up) < depth * scale * height / 2

    return eye.astype(F)[:, None], rays, inside


def shade(o, p, d, others, room):
    """Returns the light from an object's surface at p in direction -d."""
    q = local(o, p)
    col = albedo(q, o)
    e, n, dist = F(0.004), 0, DIST[o["kind"]]
    for k in ((1, -1, -1), (-1, -1, 1), (-1, 1, -1), (1, 1, 1)):
        k = np.array(k, F)[:, None]
        n = n + k * dist(q + k * e, o)
    n = n / np.maximum(np.linalg.norm(n, axis=0), 1e-6)
    open_ = np.clip(dist(q + n * F(0.18), o) / 0.18, 0, 1) * 0.6 + 0.4  # crevices are darker
    n = o["turn"] @ n
    light = room["light"][:, None]
    lit = np.maximum((n * light).sum(0), 0)
    sure = np.nonzero(lit > 0)[0]
    sh = np.ones(len(sure), F)
    for other in others:
        sh *= shadow(other, p[:, sure] + n[:, sure] * F(0.02 * o["size"]), room["light"], room["soft"])
    lit[sure] *= sh
    near = np.clip(p[1] / (0.5 * o["size"]), 0, 1) * 0.35 + 0.65  # the ground absorbs light
    up = n[1] * 0.5 + 0.5
    ambient = room["sky"][:, None] * up + room["bounce"][:, None] * (1 - up)
    fill = np.maximum((n * room["fill"][:, None]).sum(0), 0) * room["fill_power"]
    out = col * (ambient * open_ * near + room["key"][:, None] * lit + room["sky"][:, None] * fill)
    half = light - d
    half /= np.linalg.norm(half, axis=0)
    bright = np.maximum((n * half).sum(0), 0)
    mirror = d - n * (2 * (n * d).sum(0))
    fresnel = (1 - np.maximum(-(n * d).sum(0), 0)) ** 4
    # Shiny surfaces mirror a window with soft edges.
    window = smooth(0.86, 0.93, (mirror * room["window"][:, None]).sum(0))
    gloss = o["shine"] * (bright ** o["power"] * (lit > 0) * 1.3 + window * 0.35)
    reflected = room["sky"][:, None] * fresnel * 0.35 * o["shine"] * open_ * np.clip(mirror[1] + 0.6, 0, 1)
    return out + room["key"][:, None] * gloss + reflected


def new_room(rng):
    az, el = rng.uniform(0, 2 * np.pi), rng.uniform(0.55, 1.3)
    light = np.array([np.cos(az) * np.cos(el), np.sin(el), np.sin(az) * np.cos(el)], F)
    warm, level = rng.uniform(-0.12, 0.15), rng.uniform(0.7, 1.25)
    fill, window = rng.normal(size=3), rng.normal(size=3)
    fill[1], window[1], window[2] = abs(fill[1]), abs(window[1]) + 0.5, abs(window[2]) + 0.3
    return dict(light=light, key=(np.array([1 + warm, 1, 1 - warm]) * level).astype(F), soft=rng.uniform(3, 14),
                sky=(np.array([0.95 - warm, 1, 1.05 + warm]) * rng.uniform(0.2, 0.5)).astype(F),
                bounce=(hsv(rng.random(), 0.4, 0.7) * 0.35).astype(F), fill_power=rng.uniform(0.1, 0.6),
                fill=(fill / np.linalg.norm(fill)).astype(F), window=(window / np.linalg.norm(window)).astype(F),
                ground=new_ground(rng), wall=new_ground(rng), wall_z=-rng.uniform(3, 7), mirror=0.0)


def new_ground(rng):
    hue = rng.random()
    return dict(kind=str(rng.choice(["wood", "wood", "check", "stripes", "stone", "plain", "speckle"])),
                a=hsv(hue, rng.uniform(0.05, 0.6), rng.uniform(0.3, 0.95)),
                b=hsv(hue + rng.normal() * 0.15, rng.uniform(0.05, 0.6), rng.uniform(0.3, 0.95)),
                wood=hsv(rng.uniform(0.05, 0.1), rng.uniform(0.3, 0.7), rng.uniform(0.35, 0.9)),
                scale=rng.uniform(0.5, 2.5), turn=rng.uniform(0, np.pi), seed=int(rng.integers(1 << 20)))


def ground_colour(g, x, z):
    ca, sa, s = np.cos(g["turn"]), np.sin(g["turn"]), g["scale"]
    x, z = (ca * x - sa * z) * s, (sa * x + ca * z) * s
    if g["kind"] == "wood":
        plank = np.floor(z / 1.6)
        v = z - plank * 1.6
        tone = noise(plank * 7.3, plank * 0 + 3.1, g["seed"])
        bend = fbm(x * 0.35 + plank * 17, z * 1.4, g["seed"], 3)
        rings = np.abs(((bend * 5 + v * 2.2) % 1) - 0.5) * 2
        fibre = noise(x * 2.0 + plank * 31, z * 55, g["seed"] + 9)
        w = 0.74 + 0.26 * tone - 0.2 * smooth(0.5, 1, rings) - 0.13 * fibre
        w = w * (1 - 0.55 * smooth(0.035, 0.01, np.minimum(v, 1.6 - v)))
        return g["wood"][:, None] * w * np.stack([np.ones_like(w), 0.8 + 0.2 * w, 0.6 + 0.4 * w])
    if g["kind"] == "check":
        m = ((np.floor(x * 2) + np.floor(z * 2)) % 2) * 0.8
    elif g["kind"] == "stripes":
        m = smooth(-0.15, 0.15, np.sin(x * 7)) * 0.7
    elif g["kind"] == "stone":
        m = fbm(x * 1.5, z * 1.5, g["seed"], 5)
    elif g["kind"] == "speckle":
        m = smooth(0.62, 0.75, noise(x * 18, z * 18, g["seed"])) * 0.8
    else:
        m = 0.15 * fbm(x, z, g["seed"], 2)
    return g["a"][:, None] * (1 - m) + g["b"][:, None] * m


def over(hits):
    """Returns the nearest object of each ray, or -1."""
    best = np.argmin(hits, 0)
    best[~np.isfinite(hits.min(0))] = -1
    return best


def surroundings(objects, eye, d, room):
    """Renders the ground and the wall."""
    with np.errstate(divide="ignore", invalid="ignore"):
        tg = np.where(d[1] < -1e-4, -eye[1] / d[1], np.inf)
        tw = np.where(d[2] < -1e-4, (room["wall_z"] - eye[2]) / d[2], np.inf)
    wall = tw < tg
    t = np.minimum(np.minimum(tg, tw), 60).astype(F)
    p = eye + d * t
    col = np.where(wall, ground_colour(room["wall"], p[0] * 0.6, p[1] * 0.6), ground_colour(room["ground"], p[0], p[2]))
    n = np.where(wall, np.array([[0], [0], [1]], F), np.array([[0], [1], [0]], F))
    lit = np.maximum((n * room["light"][:, None]).sum(0), 0)
    contact = np.ones_like(lit)
    for o in objects:
        lit *= shadow(o, p + n * F(0.01), room["light"], room["soft"])
        flat = np.hypot(p[0] - o["at"][0], p[2] - o["at"][2]) / o["size"]
        contact *= np.where(wall, 1, 1 - 0.45 * smooth(1.25, 0.3, flat))
    corner = 0.6 + 0.4 * smooth(0, 1.6, np.where(wall, p[1], p[2] - room["wall_z"]))
    out = col * (room["sky"][:, None] * contact * corner * 1.1 + room["key"][:, None] * lit)
    if room["mirror"]:  # a polished table mirrors the objects on it
        idx = np.nonzero(~wall)[0]
        m = d[:, idx] * np.array([[1], [-1], [1]], F)
        hits = np.stack([hit(o, p[:, idx], m) for o in objects])
        best, seen = over(hits), np.repeat(room["sky"][:, None] * F(0.9), len(idx), 1)
        for i, o in enumerate(objects):
            w = np.nonzero(best == i)[0]
            if len(w):
                seen[:, w] = shade(o, p[:, idx[w]] + m[:, w] * hits[i, w], m[:, w], [], room)
        f = room["mirror"] * (0.35 + 0.65 * (1 - np.abs(d[1, idx])) ** 3)
        out[:, idx] = out[:, idx] * (1 - f) + seen * f
    return out


def render(objects, room, cam, width, height, tile=400_000):
    """Returns the image in linear light (H,W,3), the object at each pixel, and the
    visible fraction of each object."""
    eye, rays, _ = cam
    rows = max(1, tile // width)
    pic, ids, own = np.zeros((height, width, 3), F), np.zeros((height, width), int), np.zeros(len(objects))
    for r in range(0, height, rows):
        r1 = min(height, r + rows)
        d = rays(r, r1)
        hits = np.stack([hit(o, eye, d) for o in objects]) if objects else np.full((1, d.shape[1]), np.inf)
        own += np.isfinite(hits).sum(1)[:len(objects)] if objects else 0
        best = over(hits)
        out = np.zeros(d.shape, F)
        for i, o in enumerate(objects):
            w = np.nonzero(best == i)[0]
            if len(w):
                out[:, w] = shade(o, eye + d[:, w] * hits[i, w], d[:, w], objects, room)
        w = np.nonzero(best < 0)[0]
        if len(w):
            out[:, w] = surroundings(objects, eye, d[:, w], room)
        pic[r:r1] = out.T.reshape(r1 - r, width, 3)
        ids[r:r1] = best.reshape(r1 - r, width)
    seen = np.array([(ids == i).sum() for i in range(len(objects))]) / np.maximum(own, 1)
    return pic, ids, seen


def develop(linear):
    """Converts linear light to 8 bits, with compressed highlights."""
    x = np.maximum(linear, 0)
    x = np.where(x > 0.7, 0.7 + 0.3 * (1 - np.exp(-(x - 0.7) / 0.3)), x)
    return (x ** (1 / 2.2) * 255 + 0.5).astype(np.uint8)


def aa(linear, factor):
    h, w, _ = linear.shape
    return linear.reshape(h // factor, factor, w // factor, factor, 3).mean((1, 3))

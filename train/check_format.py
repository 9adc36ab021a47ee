"""Reads what ships by FORMAT.md alone, with numpy, and compares with parity.json: does the text say all that a runtime needs?

    python check_format.py ../crates/infer/weights
"""
import json
import math
import struct
import sys
import unicodedata
from pathlib import Path

import numpy as np

erf = np.vectorize(math.erf, otypes=[np.float32])


def tensors(path):
    raw = Path(path).read_bytes()
    (n,) = struct.unpack_from("<Q", raw)
    head = json.loads(raw[8 : 8 + n])
    kinds = {"F32": "<f4", "F16": "<f2", "I8": "i1", "U8": "u1"}
    return {k: np.frombuffer(raw, kinds[v["dtype"]], offset=8 + n + v["data_offsets"][0], count=int(np.prod(v["shape"]))).reshape(v["shape"]) for k, v in head.items() if k != "__metadata__"}


def spans(text):
    return {c for s in text.split() for a, _, b in [s.partition("-")] for c in range(int(a, 16), int(b or a, 16) + 1)}


DROP = spans("0-8 E-1F 7F-84 86-9F AD 34F 61C 115F 1160 17B4 17B5 180E 200B-200F 202A-202E 2060-206F 3164 FE00-FE0F FEFF FFA0 FFFC")
SPACE = spans("9-D 20 85 A0 1680 2000-200A 2028 2029 202F 205F 2581 3000")


def normalise(text):
    if not text.isascii():
        text = unicodedata.normalize("NFKC", text)
    out = []
    for c in text:
        if ord(c) in DROP:
            continue
        for l in " " if ord(c) in SPACE else c.lower():
            if l == " ":
                if out and out[-1] != " ":
                    out.append(l)
            elif out[-4:] != [l] * 4:
                out.append(l)
    return "".join(out).strip(" ")


class Pieces:
    def __init__(self, path):
        t = json.load(open(path, encoding="utf-8"))
        self.id = {p: (i + len(t["specials"]), s) for i, (p, s) in enumerate(t["pieces"])}
        self.unk, self.worst = t["unk"], t["unk_score"]
        self.longest = max(map(len, self.id))
        self.cache = {}

    def word(self, w):
        if w in self.cache:
            return self.cache[w]
        n = len(w)
        best, back = [0.0] + [-math.inf] * n, [None] * (n + 1)
        for i in range(n):
            single = False
            for j in range(i + 1, min(n, i + self.longest) + 1):
                hit = self.id.get(w[i:j])
                if hit:
                    single |= j == i + 1
                    if best[i] + hit[1] > best[j]:
                        best[j], back[j] = best[i] + hit[1], (i, hit[0])
            if not single and best[i] + self.worst > best[i + 1]:
                best[i + 1], back[i + 1] = best[i] + self.worst, (i, self.unk)
        out, at = [], n
        while at:
            at, piece = back[at]
            if not (piece == self.unk and out and out[-1] == self.unk):
                out.append(piece)
        self.cache[w] = out[::-1]
        return self.cache[w]

    def ids(self, text):
        return [i for w in normalise(text).split(" ") if w for i in self.word("▁" + w)]


def main():
    folder = Path(sys.argv[1])
    t, c, pieces = tensors(folder / "model.safetensors"), json.load(open(folder / "config.json")), Pieces(folder / "tokenizer.json")
    h, heads, body, stride = c["hidden"], c["heads"], c["body"], c["stride"]
    f = lambda k: t[k].astype(np.float32)
    open_blocks = lambda q, d: ((np.concatenate([q & 15, q >> 4], -1).astype(np.float32) - 8) * d.astype(np.float32)[..., None]).reshape(len(q), -1)
    open_rows = lambda q, d: q.astype(np.float32) * d[:, None]
    weight = {k[:-2]: (open_blocks if t[k].dtype == np.uint8 else open_rows)(t[k], t[k[:-2] + ".d"]) for k in t if k.endswith(".q") and k.startswith(("layer", "glance"))}

    def norm(x, name):
        m, v = x.mean(-1, keepdims=True), x.var(-1, keepdims=True)
        return (x - m) / np.sqrt(v + c["layer_norm_eps"]) * f(name + ".weight") + f(name + ".bias")

    def linear(x, name):
        return x @ weight[name].T + f(name + ".bias")

    def vector(i):
        if i < c["specials"]:
            return f("special")[i]
        q, d = t["words.q"][i - c["specials"]], t["words.d"][i - c["specials"]].astype(np.float32)
        return ((np.concatenate([q & 15, q >> 4], 1).astype(np.float32) - 8) * d[:, None]).reshape(-1)

    def block(x, name, heads, places):
        """A layer; of the outcome only so many places."""
        y = x[:places]
        split = lambda v: v.reshape(len(v), heads, -1).transpose(1, 0, 2)
        q, k, v = (split(linear(z, f"{name}.{n}")) for n, z in (("q", y), ("k", x), ("v", x)))
        s = q @ k.transpose(0, 2, 1) / math.sqrt(x.shape[1] // heads)
        s = np.exp(s - s.max(-1, keepdims=True))
        a = (s / s.sum(-1, keepdims=True) @ v).transpose(1, 0, 2).reshape(len(y), -1)
        y = norm(y + linear(a, f"{name}.ao"), f"{name}.aln")
        g = linear(y, f"{name}.fi")
        return norm(y + linear(g * 0.5 * (1 + erf(g / math.sqrt(2))), f"{name}.fo"), f"{name}.oln")

    def encode(ids):
        x = norm(np.stack([vector(i) for i in ids]) + f("position")[: len(ids)], "ln")
        for l in range(c["layers"]):
            if l == c.get("channel_layer"):
                x[0] += f("channel")[ids[0]]
            x = block(x, f"layer.{l}", heads, 1 if l == c["layers"] - 1 else len(x))
        return f("head.weight") @ x[0] + f("head.bias")

    def glance(ids, first):
        said = []
        for m in range(c["glance"]["members"]):
            g = f"glance.{m}"
            x = np.stack([f(g + ".special")[i] if i < c["specials"] else linear(vector(i), g + ".project") for i in ids])
            x = norm(x + f(g + ".position")[: len(ids)], g + ".ln")
            for l in range(c["glance"]["layers"]):
                x = block(x, f"{g}.{l}", c["glance"]["heads"], len(x))
            x = np.maximum(f(g + ".mix.weight") @ np.concatenate([x[0], x.mean(0), x.max(0)]) + f(g + ".mix.bias"), 0)
            said.append(float((f(g + ".out.weight") @ x + f(g + ".out.bias"))[0]))
        return np.mean(said) + c["glance"]["sieve"] * min(8, max(-8, first))

    def gram(a, b, third=None):
        x = (a * 0x9E3779B1 ^ b * 0x85EBCA77) & 0xFFFFFFFF
        if third is not None:
            x = (x * 0xC2B2AE3D ^ third * 0x27D4EB2F) & 0xFFFFFFFF
        x = ((x ^ x >> 15) * 0x2C1B3C6D) & 0xFFFFFFFF
        return x >> 32 - c["sieve"]["bits"]

    def sieve(channel, p):
        row = lambda n, i: f(f"sieve.{n}.q")[i] * float(t[f"sieve.{n}.d"][i])
        rows = [row("piece", i) for i in p] + [row("gram", gram(a, b)) for a, b in zip(p, p[1:])] + [row("gram", gram(a, b, d)) for a, b, d in zip(p, p[1:], p[2:])]
        both = (np.mean(rows, 0), np.max(rows, 0)) if rows else (np.zeros(16), np.zeros(16))
        x = np.concatenate([*both, f("sieve.channel")[channel]])
        x = np.maximum(f("sieve.hidden.weight") @ x + f("sieve.hidden.bias"), 0)
        return float((f("sieve.out.weight") @ x + f("sieve.out.bias"))[0])

    worst, worst_sieve, worst_glance, wrong, seen = 0.0, 0.0, 0.0, 0, 0
    for r in json.load(open(folder / "parity.json", encoding="utf-8")):
        p = pieces.ids(r["text"])
        want = r["pieces"]
        wrong += (p != want) if isinstance(want, list) else (len(p) != want)
        n = len(p)
        wins = [[0, n]] if n <= body else [[b, b + body] for b in [*range(0, n - body, stride), n - body]]
        assert wins == r["windows"], (wins, r["windows"])
        ch = c["channels"].get(r["channel"], c["channels"]["unknown"])
        for (b, e), logits, first, second in list(zip(wins, r["logits"], r["sieve"], r["glance"]))[:2]:
            ids = [ch] + p[b:e] + [c["end"]]
            worst = max(worst, float(np.abs(encode(ids) - logits).max()))
            worst_sieve, worst_glance = max(worst_sieve, abs(sieve(ch, p[b:e]) - first)), max(worst_glance, abs(glance(ids, first) - second))
            seen += 1
    print(f"{seen} windows: logits differ by at most {worst:.6f}, the first stage by {worst_sieve:.6f}, the glance by {worst_glance:.6f}; texts cut otherwise: {wrong}")
    sys.exit(wrong > 0 or worst > 2e-3 or max(worst_sieve, worst_glance) > 2e-3)


if __name__ == "__main__":
    main()

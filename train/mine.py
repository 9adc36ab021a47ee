"""Harmless windows that the classifier takes for attacks, out of texts that it never saw whole.

    python mine.py --rows work/rows.jsonl work/packages.jsonl --pieces work/pieces.json --sieve work/sieve.npz \\
        --model ../crates/infer/weights --windows ../target/release/examples/windows --out work/mined

Of a long text training sees a few windows; here each is read by the sieve, and what that doubts by the runtime. From `--over` on (the logit of
`any`) a window is kept. What the rules call an attack in a package (a red team's tool, a guard's tests) is left out: `--found` takes
what `portcullis scan --jsonl` says of the same rows with `injection: { model: off }`.
"""
import argparse
import json
import random
from collections import Counter

import numpy as np

import sieve as S
from augment import BENIGN, Store, cuts, window
from export import by_runtime
from prepare import Near
from text import Pieces
from told import part, word
from train import Data

SEED = 5
EACH = 0.8  # what a doubted window weighs where a glance learns from all of them
SHARE = 0.14  # how much of all that the encoder sees what was found is to be


def joined(paths, out):
    """The training windows and the hard ones in one file; the hard ones weigh SHARE of all."""
    a, b = (dict(np.load(p)) for p in (paths[0], out + ".npz"))
    first = [np.load(p)["train"] for p in (paths[1], out + "-sieve.npz")]
    ids = {v: int(k) for k, v in json.loads(str(a["names"])).items()}
    there = {int(k): ids.setdefault(v, len(ids)) for k, v in json.loads(str(b["names"])).items()}
    b["source"] = np.array([there[int(s)] for s in b["source"]], np.uint16)
    easy = first[0] < np.quantile(first[0][a["label"][:, 0] == 0], 0.5)
    b["weight"] = (b["weight"] * SHARE * Data(paths[0], easy=easy).unit_weight.sum() / b["weight"].sum()).astype(np.float32)
    both = {k: np.concatenate([a[k], b[k]]) for k in ("tokens", "length", "label", "weight", "source", "bag", "pair")}
    np.savez(out + "-joined.npz", names=np.array(json.dumps({v: k for k, v in ids.items()})), **both)
    np.savez(out + "-joined-sieve.npz", train=np.concatenate(first))


def main():
    a = argparse.ArgumentParser()
    a.add_argument("--rows", nargs="+", required=True)
    a.add_argument("--most", type=int, default=0, help="rows of a file and channel, drawn at random")
    a.add_argument("--found", nargs="*", default=[], help="lines of `scan --jsonl`: a text with a finding of injection.* is left out")
    a.add_argument("--dev", nargs="*", default=[], help="files that no text may resemble")
    a.add_argument("--pieces", required=True)
    a.add_argument("--sieve", required=True)
    a.add_argument("--pass", type=float, default=-1.3, dest="least")
    a.add_argument("--model", required=True)
    a.add_argument("--windows", required=True)
    a.add_argument("--over", type=float, default=0.0)
    a.add_argument("--join", nargs=2, help="training windows and their sieve scores, to be written together with what was found: OUT-joined.npz")
    a.add_argument("--out", required=True)
    a = a.parse_args()
    pieces, rng, store = Pieces.load(a.pieces), random.Random(SEED), Store()
    near = Near()
    for f in a.dev:
        for l in open(f, encoding="utf-8"):
            near.add(json.loads(l)["text"])
    scanned = (json.loads(l) for f in a.found for l in open(f, encoding="utf-8"))
    without = {x["id"] for x in scanned if any(y["type"].startswith("injection.") for y in x["findings"])}
    for f in a.rows:
        rows = [json.loads(l) for l in open(f, encoding="utf-8")]
        rows = [r for r in rows if r["label"] == "benign" and not r.get("held") and r.get("weight", 1) > 0 and r["id"] not in without]
        rng.shuffle(rows)
        seen = Counter()
        kept = []
        for r in rows:
            seen[r["channel"]] += 1
            if (not a.most or seen[r["channel"]] <= a.most) and near.like(r["text"], 0.5) is None:
                kept.append(r)
        for at in range(0, len(kept), 4000):
            got, _ = pieces.ids([r["text"][:40000] for r in kept[at : at + 4000]])
            for (ids, _), r in zip(got, kept[at : at + 4000]):
                for b, e in cuts(len(ids)):
                    store.put(window(ids[b:e], r["channel"]), BENIGN, 1.0, "mined_" + r["source"], -1)
        print(f, len(kept), "rows", flush=True)
    store.save(a.out + "-all")
    z = dict(np.load(a.out + "-all.npz"))
    first = S.scores(S.load(a.sieve), S.Windows(a.out + "-all.npz"))
    doubted = np.flatnonzero(first >= a.least)
    print(len(first), "windows,", len(doubted), "doubted by the sieve", flush=True)

    part(z, doubted, a.out + "-doubted.npz", np.full(len(doubted), EACH, np.float32))
    np.savez(a.out + "-doubted-sieve.npz", train=first[doubted])
    logits = by_runtime(a.windows, a.model, a.out + "-doubted.npz")
    np.savez(a.out + "-doubted-logits.npz", logits=word(logits, dict(np.load(a.out + "-doubted.npz"))))
    logit = logits[:, 0]
    hard = doubted[logit >= a.over]
    part(z, hard, a.out + ".npz", np.where(logit[logit >= a.over] > 0, 2, 1).astype(np.float32))
    np.savez(a.out + "-sieve.npz", train=first[hard])
    if a.join:
        joined(a.join, a.out)
    names = json.loads(str(z["names"]))
    print(len(hard), "hard", {t: int((logit >= t).sum()) for t in (-2, -1, 0, 1, 2, 3)}, Counter(names[str(int(s))] for s in z["source"][hard]).most_common(40))


if __name__ == "__main__":
    main()

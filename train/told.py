"""What the encoder that ships says of training windows, for a glance that learns from its word: the runtime reads them on a CPU.

    python told.py --train work/train.npz --scores work/sieve-train.npz --model ../crates/infer/weights --windows ../target/release/examples/windows --out work/told

Only windows that the sieve doubts are read, drawn at random, and none of a bag: where the attack stands in one is not known.
Written: OUT.npz, OUT-sieve.npz and OUT-logits.npz, for `glance.py --train --sieve --told`.
"""
import argparse

import numpy as np

from export import JOINED, by_runtime
from text import CHANNELS

SEED = 4


def part(z, where, path, weight=None):
    """These windows of a file as a file."""
    ends = np.cumsum(z["length"].astype(np.int64))
    tokens = np.concatenate([z["tokens"][ends[i] - int(z["length"][i]) : ends[i]] for i in where])
    rest = {k: z[k][where] for k in ("length", "label", "weight", "source", "bag", "pair")}
    if weight is not None:
        rest["weight"] = weight
    np.savez(path, tokens=tokens, names=z["names"], **rest)


def word(logits, z):
    """What counts in the verdict as `any`: where users speak, jailbreak's logit too."""
    start = np.concatenate([[0], np.cumsum(z["length"].astype(np.int64))])[:-1]
    user = z["tokens"][start] == CHANNELS["user"]
    logits = logits[:, :4].copy()
    logits[user, 0] = np.maximum(logits[user, 0], logits[user, 2] + JOINED["jailbreak"]["offset"])
    return logits


def main():
    a = argparse.ArgumentParser()
    a.add_argument("--train", required=True)
    a.add_argument("--scores", required=True)
    a.add_argument("--pass", type=float, default=-1.34, dest="least")
    a.add_argument("--attacks", type=int, default=34000)
    a.add_argument("--harmless", type=int, default=30000)
    a.add_argument("--model", required=True)
    a.add_argument("--windows", required=True)
    a.add_argument("--out", required=True)
    a = a.parse_args()
    z, first, rng = dict(np.load(a.train)), np.load(a.scores)["train"], np.random.default_rng(SEED)
    label, doubted = z["label"][:, 0], (z["bag"] < 0) & (first >= a.least)
    kept, weight = [], z["weight"].copy()
    for y, most in ((1, a.attacks), (0, a.harmless)):
        here = rng.permutation(np.flatnonzero(doubted & (label == y)))
        kept.append(here[:most])
        weight[here] *= max(1.0, len(here) / most)
    kept = np.sort(np.concatenate(kept))
    part(z, kept, a.out + ".npz", weight[kept])
    np.savez(a.out + "-sieve.npz", train=first[kept])
    np.savez(a.out + "-logits.npz", logits=word(by_runtime(a.windows, a.model, a.out + ".npz"), dict(np.load(a.out + ".npz"))))
    print(len(kept), "windows")


if __name__ == "__main__":
    main()

"""Figures on dev: recall at 1 % and 0.1 % false positives over all benign rows, by source and channel. A text is as bad as its worst window.

    python evaluate.py --model work/student.pt --base work/base/base.npz --dev work/dev.npz [--held work/train-held.npz] [--scores out.npz]
"""
import argparse
import json
from collections import defaultdict

import numpy as np
import torch

from train import Data, infer, load


def rows_of(path, scores):
    z = np.load(path)
    row, label, source = z["row"], z["label"], z["source"]
    names = {int(k): v for k, v in json.loads(str(z["names"])).items()}
    n = int(row.max()) + 1
    best = np.full(n, -1e9, np.float32)
    np.maximum.at(best, row, scores[:, 0])
    lab, src = np.zeros(n, int), np.empty(n, object)
    lab[row] = label[:, 0]
    for r, s in zip(row, source):
        src[r] = names[int(s)]
    return best, lab, src, json.loads(str(z["channel"])), json.loads(str(z["id"]))


def thresholds(best, lab):
    b = np.sort(best[lab == 0])[::-1]
    # No more than so many benign rows reach the threshold.
    return {p: float(np.nextafter(b[int(p * len(b))], 1e9)) for p in (0.01, 0.001)}


def report(best, lab, src, channel):
    t = thresholds(best, lab)
    out = {"threshold": t, "recall": {p: float((best[lab == 1] >= x).mean()) for p, x in t.items()}, "source": {}, "channel": {}}
    for s in sorted(set(src), key=str):
        m = src == s
        for l in (1, 0, 255):
            k = m & (lab == l)
            if k.any():
                out["source"][f"{s}/{ {1: 'attack', 0: 'benign', 255: 'harmful'}[l]}"] = (int(k.sum()), float((best[k] >= t[0.01]).mean()), float((best[k] >= t[0.001]).mean()))
    for c in sorted(set(channel)):
        m = np.array([x == c for x in channel])
        for l in (1, 0):
            k = m & (lab == l)
            if k.any():
                out["channel"][f"{c}/{ {1: 'attack', 0: 'benign'}[l]}"] = (int(k.sum()), float((best[k] >= t[0.01]).mean()), float((best[k] >= t[0.001]).mean()))
    # Average precision independent of a threshold, and the area under the curve.
    pos, neg = best[lab == 1], best[lab == 0]
    order = np.argsort(np.concatenate([pos, neg]), kind="stable").argsort() + 1
    out["auc"] = float((order[: len(pos)].sum() - len(pos) * (len(pos) + 1) / 2) / (len(pos) * len(neg)))
    return out


def show(o, name=""):
    print(f"== {name} recall at 1 %: {o['recall'][0.01]:.3f}  at 0.1 %: {o['recall'][0.001]:.3f}  auc {o['auc']:.4f}  thresholds {o['threshold'][0.01]:.2f} {o['threshold'][0.001]:.2f}")
    for k, (n, x, y) in o["source"].items():
        print(f"   {k:42} {n:5}  {x:6.3f} {y:6.3f}")
    for k, (n, x, y) in o["channel"].items():
        print(f"   [{k}]{'':30} {n:5}  {x:6.3f} {y:6.3f}")


def main():
    a = argparse.ArgumentParser()
    a.add_argument("--model", required=True)
    a.add_argument("--base", required=True)
    a.add_argument("--dev", required=True)
    a.add_argument("--held")
    a.add_argument("--scores")
    a.add_argument("--sieve", help="on a slow machine: only windows that the first stage passes at --share")
    a.add_argument("--share", type=float, default=0.4)
    a.add_argument("--brief", action="store_true")
    a = a.parse_args()
    device = "cuda" if torch.cuda.is_available() else "cpu"
    m = load(a.model, a.base).to(device)
    data, only = Data(a.dev, device=device, plain=True), None
    if a.sieve:
        import sieve

        first = sieve.scores(sieve.load(a.sieve), sieve.Windows(a.dev))
        only = first >= np.quantile(first[data.label[:, 0] == 0], 1 - a.share)
        print(f"{only.sum()} of {len(only)} windows")
    s = infer(m, data, rows=512 if device == "cuda" else 32, device=device, only=only)
    o = report(*rows_of(a.dev, s)[:4])
    if a.brief:
        print(f"== {a.model} recall at 1 %: {o['recall'][0.01]:.3f}  at 0.1 %: {o['recall'][0.001]:.3f}  auc {o['auc']:.4f} |", " ".join(f"{k.replace('/attack', '')} {v[1]:.2f}" for k, v in o["source"].items() if k.endswith("attack")))
    else:
        show(o, a.model)
    if a.held:
        h = infer(m, Data(a.held, device=device, plain=True), rows=512 if device == "cuda" else 32, device=device)
        b, l, src, _, _ = rows_of(a.held, h)
        t = o["threshold"][0.01]
        print("   held corpus pairs: recall %.3f, false positives %.3f at dev's 1 %% threshold; auc %.3f" % ((b[l == 1] >= t).mean(), (b[l == 0] >= t).mean(), report(b, l, src, [])["auc"]))
        print("   ", {str(x): (round(float((b[(src == x) & (l == 1)] >= t).mean()), 2), round(float((b[(src == x) & (l == 0)] >= t).mean()), 2)) for x in sorted(set(src))})
    if a.scores:
        np.savez_compressed(a.scores, dev=s)


if __name__ == "__main__":
    main()

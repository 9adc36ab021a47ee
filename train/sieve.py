"""The first stage: says in microseconds which windows need no second look.

    python sieve.py --train work/train.npz --told work/run/told.npz --dev work/dev.npz --out work/sieve.npz

Vectors of 16 numbers for every piece and for hashed pairs and triples of neighbouring pieces; their mean and their maximum over the
window, the channel's vector, one hidden layer. It is taught what the teacher says, not only the labels.
`--linear` trains the plain linear model over the same features instead, to tell what the vectors buy.
"""
import argparse
import json
import time
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file
from torch import nn
from torch.nn import functional as F

import model as M
from evaluate import report, rows_of
from text import SPECIALS

SEED = 3
DIM, BITS, HIDDEN = 16, 15, 32
NONE = 65_535


def hashed(a, b, c=None):
    """Bucket of a pair or triple of piece ids; 32-bit arithmetic that wraps."""
    h = (a.astype(np.uint32) * np.uint32(0x9E3779B1)) ^ (b.astype(np.uint32) * np.uint32(0x85EBCA77))
    if c is not None:
        h = (h * np.uint32(0xC2B2AE3D)) ^ (c.astype(np.uint32) * np.uint32(0x27D4EB2F))
    h ^= h >> np.uint32(15)
    h = h * np.uint32(0x2C1B3C6D)
    return (h >> np.uint32(32 - BITS)).astype(np.int64)


class Windows:
    def __init__(self, path):
        z = np.load(path)
        self.length = z["length"].astype(np.int64)
        self.start = np.concatenate([[0], np.cumsum(self.length)])[:-1]
        self.tokens = np.concatenate([z["tokens"], np.zeros(256, np.uint16)])
        self.label, self.weight = z["label"][:, 0].astype(np.int64), z["weight"]
        self.bag = z["bag"]

    def take(self, idx):
        """Channels; features (n, 3 * width), NONE-padded, as rows of one table."""
        l = self.length[idx] - 2  # the channel and </s> are no features
        n = max(1, int(l.max()))
        at = np.arange(n + 2)[None]
        t = self.tokens[self.start[idx][:, None] + 1 + at]
        ok = np.arange(n)[None] < l[:, None]
        one = np.where(ok, t[:, :n], NONE).astype(np.int64)
        two = np.where(np.arange(n)[None] < l[:, None] - 1, 65536 + hashed(t[:, :n], t[:, 1 : n + 1]), NONE)
        three = np.where(np.arange(n)[None] < l[:, None] - 2, 65536 + hashed(t[:, :n], t[:, 1 : n + 1], t[:, 2 : n + 2]), NONE)
        return self.tokens[self.start[idx]].astype(np.int64), np.concatenate([one, two, three], 1)


class Sieve(nn.Module):
    """With `words`, a piece's vector is its own and a projection of the base model's: what was never seen has one too."""

    def __init__(self, linear=False, words=None):
        super().__init__()
        self.linear = linear
        d = 1 if linear else DIM
        self.table = nn.Embedding(65536 + (1 << BITS), d, sparse=True)
        nn.init.normal_(self.table.weight, 0, 0.0 if linear else 0.1)
        self.channel = nn.Embedding(16, d)
        nn.init.zeros_(self.channel.weight)
        if not linear:
            self.hidden = nn.Linear(3 * d, HIDDEN)
            self.out = nn.Linear(HIDDEN, 1)
        self.words = words
        if words is not None:
            self.project = nn.Linear(words.shape[1], d, bias=False)
            nn.init.normal_(self.project.weight, 0, 0.1 * words.shape[1] ** -0.5)

    def joined(self):
        """The table with what the base model's vectors add."""
        t = self.table.weight.data.clone()
        if self.words is not None:
            t[len(SPECIALS) : len(SPECIALS) + len(self.words)] += self.project(self.words).data
        return t

    def forward(self, channel, features):
        x = self.table(features)
        if self.words is not None and self.training:
            n = len(SPECIALS) + len(self.words)
            one = F.pad(self.project(self.words), (0, 0, len(SPECIALS), 1))
            x = x + F.embedding(torch.where(features < n, features, n), one)
        real = (features != NONE)[..., None]
        n = real.sum(1).clamp(min=1)
        if self.linear:
            return ((x * real).sum(1) / n.sqrt() + self.channel(channel)).squeeze(1)
        mean = (x * real).sum(1) / n
        top = x.masked_fill(~real, -1e4).amax(1)
        top = torch.where(real.any(1), top, torch.zeros_like(top))
        return self.out(F.relu(self.hidden(torch.cat([mean, top, self.channel(channel)], 1)))).squeeze(1)


def scores(m, w, batch=1024):
    out = np.zeros(len(w.length), np.float32)
    order = np.argsort(w.length)
    m.eval()
    with torch.no_grad():
        for i in range(0, len(order), batch):
            idx = order[i : i + batch]
            c, f = w.take(idx)
            out[idx] = m(torch.from_numpy(c), torch.from_numpy(f)).numpy()
    return out


def load(path):
    """A sieve that was learned here, or that of a folder that ships."""
    m = Sieve(False)
    if Path(path).is_dir():
        t = load_file(f"{path}/model.safetensors")
        own = m.state_dict()
        rows = lambda name: t[f"sieve.{name}.q"].float() * t[f"sieve.{name}.d"].float()[:, None]
        own["table.weight"].zero_()
        own["table.weight"][: len(t["sieve.piece.q"])] = rows("piece")
        own["table.weight"][65536:] = rows("gram")
        own["channel.weight"].zero_()
        own["channel.weight"][: len(t["sieve.channel"])] = t["sieve.channel"]
        own |= {k: t[f"sieve.{k}"] for k in ("hidden.weight", "hidden.bias", "out.weight", "out.bias")}
        m.load_state_dict(own)
    else:
        z = np.load(path)
        m.load_state_dict({k: torch.from_numpy(z[k]) for k in z.files if k != "linear"})
    return m.eval()


def main():
    a = argparse.ArgumentParser()
    a.add_argument("--train", required=True)
    a.add_argument("--told")
    a.add_argument("--dev")
    a.add_argument("--out")
    a.add_argument("--known", help="a sieve that is there already, or a folder that ships: nothing is learned, its --scores are written")
    a.add_argument("--base", help="the base model, whose word vectors are read as well")
    a.add_argument("--linear", action="store_true")
    a.add_argument("--epochs", type=int, default=4)
    a.add_argument("--scores", help="scores of the training windows, for train.py --sieve")
    a.add_argument("--after", help="second stage's scores of dev's windows (evaluate.py --scores)")
    a = a.parse_args()
    torch.manual_seed(SEED)
    rng = np.random.default_rng(SEED)
    w = Windows(a.train)
    if a.known:
        np.savez(a.scores, train=scores(load(a.known), w))
        return
    y = w.label.astype(np.float32)
    if a.told:
        t = 1 / (1 + np.exp(-np.load(a.told)["logits"][:, 0].astype(np.float32)))
        # A window of a bag is what the teacher says; elsewhere label and teacher weigh alike.
        y = np.where(w.bag >= 0, t, 0.5 * (y + t))
    # Without a teacher every window of a bag counts as the attack: here a miss is worse than a second look.
    use = np.where(w.weight > 0)[0]
    words = None
    if a.base:
        words = M.words_of(a.base)
        words = (words - words.mean(0)) / words.std()
    m = Sieve(a.linear, words)
    dense = [p for n, p in m.named_parameters() if n != "table.weight"]
    lr = 0.01 if not a.linear else 0.05
    sparse = torch.optim.SparseAdam([m.table.weight], lr=lr)
    opt = torch.optim.Adam(dense, lr=0.003)
    t0, step, acc = time.time(), 0, 0.0
    total = a.epochs * (len(use) // 256)
    for e in range(a.epochs):
        order = rng.permutation(use)
        # Windows of like length together, in random order.
        order = np.concatenate([c[np.argsort(w.length[c])] for c in np.array_split(order, max(1, len(order) // 8192))])
        parts = np.array_split(order, max(1, len(order) // 256))
        for i in rng.permutation(len(parts)):
            idx = parts[i]
            c, f = w.take(idx)
            keep = rng.random(f.shape) > 0.1
            f = np.where(keep, f, NONE)
            z = m(torch.from_numpy(c), torch.from_numpy(f))
            # A miss costs more than a second look.
            l = F.binary_cross_entropy_with_logits(z, torch.from_numpy(y[idx]), pos_weight=torch.tensor(4.0))
            sparse.zero_grad(), opt.zero_grad()
            l.backward()
            for g, base in ((sparse, lr), (opt, 0.003)):
                for q in g.param_groups:
                    q["lr"] = base * max(0.05, 1 - step / total)
            sparse.step(), opt.step()
            step += 1
            acc = 0.99 * acc + 0.01 * l.item()
        print(f"epoch {e + 1} loss {acc:.4f} {time.time() - t0:.0f}s", flush=True)
    m.table.weight.data, m.words = m.joined(), None
    np.savez(a.out, linear=a.linear, **{k: v.numpy() for k, v in m.state_dict().items() if not k.startswith("project")})
    if a.scores:
        np.savez(a.scores, train=scores(m, w))
    d = Windows(a.dev)
    s = scores(m, d)
    o = report(*rows_of(a.dev, np.stack([s] * 4, 1))[:4])
    print(f"alone on dev: recall at 1 % {o['recall'][0.01]:.3f}, at 0.1 % {o['recall'][0.001]:.3f}, auc {o['auc']:.4f}")
    benign = s[d.label == 0]
    for share in (0.5, 0.3, 0.2, 0.1, 0.05, 0.03, 0.02, 0.01):
        t = float(np.quantile(benign, 1 - share))
        best, lab, src, ch, _ = rows_of(a.dev, np.stack([s] * 4, 1))
        line = f"passes {share:5.0%} of harmless windows ({(best[lab == 0] >= t).mean():.0%} of texts), threshold {t:6.2f}: {(best[lab == 1] >= t).mean():.3f} of attacks"
        if a.after:
            z = np.load(a.after)
            full, cut = z["dev"].copy(), z["dev"].copy()
            cut[s < t] = -30
            a1, l1 = rows_of(a.dev, full)[:2]
            a2 = rows_of(a.dev, cut)[0]
            o1 = report(a1, l1, src, ch)
            line += "; with the second stage: " + ", ".join(f"{(a2[l1 == 1] >= x).mean():.3f} of {(a1[l1 == 1] >= x).mean():.3f} at {p:.1%}" for p, x in o1["threshold"].items())
        print(line)


if __name__ == "__main__":
    main()

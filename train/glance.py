"""What looks between the first stage and the last: a narrow layer over the base model's word vectors. Several trained apart look side by side.

    python glance.py --base work/base/base.npz --train work/train.npz --sieve work/sieve-train.npz --dev work/dev.npz --seconds 2400 --out work/glance-0.pt

It learns from windows that the first stage would let through: attacks, and the half of the harmless ones that look most like one.
"""
import argparse
import time

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

import model as M
from evaluate import report, rows_of
from text import SPECIALS, UNK
from train import Data, chosen

SEED = 7
HIDDEN, HEADS, FF, MIXED = 96, 3, 384, 64
PAD = 1  # what stands behind a window's end is masked by its length
PIECES = 6144  # of a batch
EASY = 0.5


class Glance(nn.Module):
    def __init__(self, words, specials=len(SPECIALS), hidden=HIDDEN, heads=HEADS, ff=FF, mixed=MIXED, places=128):
        """`words`: the base model's vectors, normalised here as a whole."""
        super().__init__()
        self.specials = specials
        self.register_buffer("mean", words.mean(0), persistent=False)
        self.register_buffer("spread", words.std(), persistent=False)
        self.register_buffer("words", torch.cat([torch.zeros(specials, words.shape[1]), (words - self.mean) / self.spread]), persistent=False)
        self.project = nn.Linear(words.shape[1], hidden, bias=False)
        self.special, self.position = nn.Embedding(specials, hidden), nn.Embedding(places, hidden)
        self.ln = nn.LayerNorm(hidden, eps=1e-12)
        self.layer = M.Layer(hidden, heads, ff)
        self.mix, self.out = nn.Linear(3 * hidden, mixed), nn.Linear(mixed, 1)
        for w, spread in ((self.special, 0.1), (self.position, 0.1), (self.project, words.shape[1] ** -0.5)):
            nn.init.normal_(w.weight, 0, spread)

    def forward(self, ids, length, drop=0.0):
        own = ids < self.specials
        x = self.project(F.embedding(ids, self.words)) + self.special(ids.clamp(max=self.specials - 1)) * own[..., None]
        x = self.ln(x + self.position.weight[: ids.shape[1]])
        x = F.dropout(x, drop, self.training)
        out = torch.arange(ids.shape[1])[None] >= length[:, None]
        x = self.layer(x, torch.where(out, -1e4, 0.0)[:, None, None].to(x.dtype), drop)
        out = out[..., None]
        mean, top = x.masked_fill(out, 0).sum(1) / length[:, None], x.masked_fill(out, -1e4).amax(1)
        with torch.autocast("cpu", enabled=False):
            return self.out(F.relu(self.mix(torch.cat([x[:, 0], mean, top], 1).float()))).squeeze(1)

    def tensors(self, close, name):
        """Those of the file, by FORMAT.md; `close` makes eight bits of a matrix. What they hold then stays in here."""
        t = {}
        for k in ("project", "q", "k", "v", "ao", "fi", "fo"):
            # The file's first matrix reads the words as they are: their spread is in it, and their mean in its bias.
            lin, spread = (self.project, self.spread) if k == "project" else (getattr(self.layer, k), 1.0)
            q, d = close(lin.weight.data / spread)
            lin.weight.data = q.float() * d[:, None] * spread
            t[f"{name}.{k}.q"], t[f"{name}.{k}.d"] = q, d
            t[f"{name}.{k}.bias"] = -(lin.weight.data / spread @ self.mean) if lin.bias is None else lin.bias.data.clone()
        t[f"{name}.special"], t[f"{name}.position"] = self.special.weight.data.clone(), self.position.weight.data.clone()
        for k, n in (("ln", self.ln), ("aln", self.layer.aln), ("oln", self.layer.oln), ("mix", self.mix), ("out", self.out)):
            t[f"{name}.{k}.weight"], t[f"{name}.{k}.bias"] = n.weight.data.clone(), n.bias.data.clone()
        return t


class Windows:
    def __init__(self, path):
        z = np.load(path)
        self.length = z["length"].astype(np.int64)
        self.start = np.concatenate([[0], np.cumsum(self.length)])[:-1]
        self.tokens = np.concatenate([z["tokens"], np.zeros(256, np.uint16)]).astype(np.int64)
        self.label, self.bag = z["label"][:, 0], z["bag"].astype(np.int64)

    def take(self, idx):
        l = self.length[idx]
        at = np.arange(l.max())[None]
        return np.where(at < l[:, None], self.tokens[self.start[idx][:, None] + at], PAD), l


def load(path, words):
    m = Glance(words)
    m.load_state_dict(torch.load(path))
    return m.eval()


def scores(m, w, batch=64):
    m.eval()
    out, order = np.zeros(len(w.length), np.float32), np.argsort(w.length)
    with torch.no_grad():
        for i in range(0, len(order), batch):
            ids, length = w.take(order[i : i + batch])
            out[order[i : i + batch]] = m(torch.from_numpy(ids), torch.from_numpy(length)).numpy()
    return out


class Source:
    """A file of training windows and which of them are learned from, and how often."""

    def __init__(self, train, sieve):
        self.w = Windows(train)
        first, self.weight = np.load(sieve)["train"], Data(train).weight
        hard = first >= np.quantile(first[self.w.label == 0], EASY)
        self.use = np.where((self.weight > 0) & (hard | (self.w.label == 1)))[0]

    def batches(self, rng):
        n = np.floor(0.5 * np.minimum(self.weight[self.use], 6) + rng.random(len(self.use))).astype(int)
        order = rng.permutation(np.repeat(self.use, n))
        # Windows of like length together, in random order.
        order = np.concatenate([c[np.argsort(self.w.length[c])] for c in np.array_split(order, max(1, len(order) // 8192))])
        parts, at = [], 0
        while at < len(order):
            many = max(1, PIECES // int(self.w.length[order[at]]))
            parts.append(order[at : at + many])
            at += many
        for i in rng.permutation(len(parts)):
            yield self.w, parts[i]


def forever(sources, rng):
    while True:
        for s in sources:
            yield from s.batches(rng)


def main():
    a = argparse.ArgumentParser()
    a.add_argument("--base", required=True)
    a.add_argument("--train", nargs="+", required=True)
    a.add_argument("--sieve", nargs="+", required=True, help="first stage's scores of these windows (sieve.py --scores)")
    a.add_argument("--dev", required=True)
    a.add_argument("--out", required=True)
    a.add_argument("--begin", help="go on from this one")
    a.add_argument("--seconds", type=float, required=True)
    a.add_argument("--lr", type=float, default=1.5e-3)
    a.add_argument("--seed", type=int, default=SEED)
    a.add_argument("--drop", type=float, default=0.1)
    a.add_argument("--average", type=float, default=0.999)
    a = a.parse_args()
    torch.manual_seed(a.seed)
    rng = np.random.default_rng(a.seed)
    words = M.words_of(a.base)
    m = load(a.begin, words) if a.begin else Glance(words)
    opt = torch.optim.AdamW(m.parameters(), lr=a.lr, weight_decay=0.01, betas=(0.9, 0.98))
    mean = [p.detach().clone() for p in m.parameters()]
    sources = [Source(*x) for x in zip(a.train, a.sieve, strict=True)]
    t0, step, acc = time.time(), 0, 0.0
    m.train()
    for w, idx in forever(sources, rng):
        done = (time.time() - t0) / a.seconds
        if done >= 1:
            break
        ids, length = w.take(idx)
        # Words blanked in most windows: no single word may decide.
        blank = (rng.random(ids.shape) < 0.12) & (rng.random((len(ids), 1)) < 0.6) & (ids >= len(SPECIALS))
        for g in opt.param_groups:
            g["lr"] = a.lr * min(1, (step + 1) / 100) * max(0.02, 1 - done)
        with torch.autocast("cpu", torch.bfloat16):
            z = m(torch.from_numpy(np.where(blank, UNK, ids)), torch.from_numpy(length), a.drop)
        y = torch.from_numpy((w.label[idx] == 1).astype(np.float32))
        keep = chosen(z, torch.from_numpy(w.bag[idx])).float()
        loss = (F.binary_cross_entropy_with_logits(z, y * 0.98 + 0.01, reduction="none") * keep).sum() / keep.sum()
        opt.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(m.parameters(), 1.0)
        opt.step()
        step += 1
        with torch.no_grad():
            for p, kept in zip(m.parameters(), mean):
                kept.lerp_(p, 1 - min(a.average, 1 - 1 / (step + 1)))
        acc += loss.item()
        if step % 500 == 0:
            print(f"step {step} ({100 * done:.0f} %) loss {acc / 500:.4f} {time.time() - t0:.0f}s", flush=True)
            acc = 0.0
        if step % 2000 == 0:
            torch.save({k: kept for (k, _), kept in zip(m.named_parameters(), mean)}, a.out + ".part")
    for p, kept in zip(m.parameters(), mean):
        p.data = kept
    torch.save(m.state_dict(), a.out)
    s = scores(m, Windows(a.dev))
    o = report(*rows_of(a.dev, np.stack([s] * 4, 1))[:4])
    print(f"{step} steps; alone on dev: recall at 1 % {o['recall'][0.01]:.3f}, at 0.1 % {o['recall'][0.001]:.3f}, auc {o['auc']:.4f}")


if __name__ == "__main__":
    main()

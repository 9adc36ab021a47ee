"""What looks between the first stage and the last: few narrow layers over the base model's word vectors. Several trained apart may look side by side.

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
HIDDEN, HEADS, FF, MIXED, LAYERS = 96, 3, 384, 64, 1
PAD = 1  # what stands behind a window's end is masked by its length
PIECES = 6144  # of a batch, by default
EASY = 0.5
# Where there is a teacher, its word is so much of the loss. What is asked is whether its logit is near its thresholds or over them: how harmless a harmless
# window looks to it is not worth the few neurons of a glance.
WORD, NEAR = 0.85, 2.0


class Glance(nn.Module):
    def __init__(self, words, specials=len(SPECIALS), hidden=HIDDEN, heads=HEADS, ff=FF, mixed=MIXED, layers=LAYERS, places=128):
        """`words`: the base model's vectors, normalised here as a whole."""
        super().__init__()
        self.shape = dict(hidden=hidden, heads=heads, ff=ff, mixed=mixed, layers=layers)
        self.specials = specials
        self.register_buffer("mean", words.mean(0), persistent=False)
        self.register_buffer("spread", words.std(), persistent=False)
        self.register_buffer("words", torch.cat([torch.zeros(specials, words.shape[1]), (words - self.mean) / self.spread]), persistent=False)
        self.project = nn.Linear(words.shape[1], hidden, bias=False)
        self.special, self.position = nn.Embedding(specials, hidden), nn.Embedding(places, hidden)
        self.ln = nn.LayerNorm(hidden, eps=1e-12)
        self.layers = nn.ModuleList(M.Layer(hidden, heads, ff) for _ in range(layers))
        self.mix, self.out = nn.Linear(3 * hidden, mixed), nn.Linear(mixed, 1)
        for w, spread in ((self.special, 0.1), (self.position, 0.1), (self.project, words.shape[1] ** -0.5)):
            nn.init.normal_(w.weight, 0, spread)

    def forward(self, ids, length, drop=0.0):
        own = ids < self.specials
        x = self.project(F.embedding(ids, self.words)) + self.special(ids.clamp(max=self.specials - 1)) * own[..., None]
        x = self.ln(x + self.position.weight[: ids.shape[1]])
        x = F.dropout(x, drop, self.training)
        out = torch.arange(ids.shape[1], device=ids.device)[None] >= length[:, None]
        near = torch.bfloat16 if torch.is_autocast_enabled(ids.device.type) else torch.float32
        mask = torch.where(out, -1e4, 0.0)[:, None, None].to(near)
        for layer in self.layers:
            x = layer(x, mask, drop)
        out = out[..., None]
        mean, top = x.masked_fill(out, 0).sum(1) / length[:, None], x.masked_fill(out, -1e4).amax(1)
        with torch.autocast(ids.device.type, enabled=False):
            return self.out(F.relu(self.mix(torch.cat([x[:, 0], mean, top], 1).float()))).squeeze(1)

    def tensors(self, close, name):
        """Those of the file, by FORMAT.md; `close` makes eight bits of a matrix. What they hold then stays in here."""
        t = {}

        def matrix(n, lin, spread=1.0):
            q, d = close(lin.weight.data / spread)
            lin.weight.data = q.float() * d[:, None] * spread
            t[f"{name}.{n}.q"], t[f"{name}.{n}.d"] = q, d
            t[f"{name}.{n}.bias"] = -(lin.weight.data / spread @ self.mean) if lin.bias is None else lin.bias.data.clone()

        def norm(n, x):
            t[f"{name}.{n}.weight"], t[f"{name}.{n}.bias"] = x.weight.data.clone(), x.bias.data.clone()

        # What is large and need not be exact has sixteen bits.
        for x in (self.position, self.mix):
            x.weight.data = x.weight.data.half().float()

        # The file's first matrix reads the words as they are: their spread is in it, and their mean in its bias.
        matrix("project", self.project, self.spread)
        t[f"{name}.special"], t[f"{name}.position"] = self.special.weight.data.clone(), self.position.weight.data.clone()
        for k, x in (("ln", self.ln), ("mix", self.mix), ("out", self.out)):
            norm(k, x)
        for n in ("position", "mix.weight"):
            t[f"{name}.{n}"] = t[f"{name}.{n}"].half()
        for i, layer in enumerate(self.layers):
            for k in ("q", "k", "v", "ao", "fi", "fo"):
                matrix(f"{i}.{k}", getattr(layer, k))
            for k in ("aln", "oln"):
                norm(f"{i}.{k}", getattr(layer, k))
        return t


class Windows:
    def __init__(self, path, device="cpu"):
        z = np.load(path)
        self.length = z["length"].astype(np.int64)
        self.label, self.bag = z["label"][:, 0], z["bag"].astype(np.int64)
        self.start = torch.from_numpy(np.concatenate([[0], np.cumsum(self.length)])[:-1]).to(device)
        self.long = torch.from_numpy(self.length).to(device)
        self.tokens = torch.from_numpy(np.concatenate([z["tokens"], np.zeros(256, np.uint16)]).astype(np.int32)).to(device)

    def take(self, idx):
        """Ids and lengths of these windows."""
        at = torch.arange(int(self.length[idx].max()), device=self.tokens.device)[None]
        idx = torch.from_numpy(idx).to(self.tokens.device)
        l = self.long[idx]
        return torch.where(at < l[:, None], self.tokens[self.start[idx][:, None] + at].long(), PAD), l


def load(path, words):
    s = torch.load(path, map_location="cpu")
    m = Glance(words, **s["shape"])
    m.load_state_dict(s["model"])
    return m.eval()


def scores(m, w, batch=64):
    m.eval()
    out, order = np.zeros(len(w.length), np.float32), np.argsort(w.length)
    with torch.no_grad():
        for i in range(0, len(order), batch):
            out[order[i : i + batch]] = m(*w.take(order[i : i + batch])).cpu().numpy()
    return out


class Source:
    """A file of training windows, which of them are learned from and how often, and what a teacher says of them."""

    def __init__(self, train, sieve, told, a, device):
        self.w, self.pieces, self.word = Windows(train, device), a.pieces, a.word
        first, self.weight = np.load(sieve)["train"], Data(train, a.without).weight
        hard = first >= np.quantile(first[self.w.label == 0], EASY)
        self.use = np.where((self.weight > 0) & (hard | (self.w.label == 1)))[0]
        self.label = torch.from_numpy((self.w.label == 1).astype(np.float32)).to(device)
        self.bag = torch.from_numpy(self.w.bag).to(device)
        self.told = torch.sigmoid(torch.from_numpy(np.load(told)["logits"][:, 0].astype(np.float32)) - a.near).to(device) if told else None

    def batches(self, rng):
        n = np.floor(0.5 * np.minimum(self.weight[self.use], 6) + rng.random(len(self.use))).astype(int)
        order = rng.permutation(np.repeat(self.use, n))
        # Windows of like length together, in random order.
        order = np.concatenate([c[np.argsort(self.w.length[c])] for c in np.array_split(order, max(1, len(order) // 8192))])
        parts, at = [], 0
        while at < len(order):
            many = max(1, self.pieces // int(self.w.length[order[at]]))
            parts.append(order[at : at + many])
            at += many
        for i in rng.permutation(len(parts)):
            yield self, parts[i]

    def loss(self, z, idx):
        idx = torch.from_numpy(idx).to(z.device)
        keep = chosen(z, self.bag[idx]).float()
        one = F.binary_cross_entropy_with_logits(z, self.label[idx] * 0.98 + 0.01, reduction="none")
        loss = (one * keep).sum() / keep.sum()
        if self.told is None:
            return loss
        # The teacher knows which window of a bag it is.
        return (1 - self.word) * loss + self.word * F.binary_cross_entropy_with_logits(z, self.told[idx])


def forever(sources, rng):
    while True:
        for s in sources:
            yield from s.batches(rng)


def main():
    a = argparse.ArgumentParser()
    a.add_argument("--base", required=True)
    a.add_argument("--train", nargs="+", required=True)
    a.add_argument("--sieve", nargs="+", required=True, help="first stage's scores of these windows (sieve.py --scores)")
    a.add_argument("--told", nargs="+", help="what a teacher says of them (train.py: told.npz)")
    a.add_argument("--word", type=float, default=WORD)
    a.add_argument("--near", type=float, default=NEAR)
    a.add_argument("--dev", required=True)
    a.add_argument("--out", required=True)
    a.add_argument("--begin", help="go on from this one")
    long = a.add_mutually_exclusive_group(required=True)
    long.add_argument("--seconds", type=float)
    long.add_argument("--steps", type=int, help="where runs are compared that may not get the same share of a machine")
    a.add_argument("--lr", type=float, default=1.5e-3)
    a.add_argument("--seed", type=int, default=SEED)
    a.add_argument("--drop", type=float, default=0.1)
    a.add_argument("--average", type=float, default=0.999)
    a.add_argument("--hidden", type=int, default=HIDDEN)
    a.add_argument("--layers", type=int, default=LAYERS)
    a.add_argument("--pieces", type=int, default=PIECES, help="of a batch")
    a.add_argument("--without", nargs="*", default=[], help="beginnings of names of sources that are left out: what a part of the data buys")
    a = a.parse_args()
    device = "cuda" if torch.cuda.is_available() else "cpu"
    torch.manual_seed(a.seed)
    rng = np.random.default_rng(a.seed)
    words = M.words_of(a.base)
    m = (load(a.begin, words) if a.begin else Glance(words, hidden=a.hidden, heads=a.hidden // 32, ff=4 * a.hidden, layers=a.layers)).to(device)
    opt = torch.optim.AdamW(m.parameters(), lr=a.lr, weight_decay=0.01, betas=(0.9, 0.98), fused=device == "cuda")
    mean = [p.detach().clone() for p in m.parameters()]
    sources = [Source(*x, a, device) for x in zip(a.train, a.sieve, a.told or [None] * len(a.train), strict=True)]
    t0, step, acc = time.time(), 0, 0.0
    m.train()
    for source, idx in forever(sources, rng):
        done = step / a.steps if a.steps else (time.time() - t0) / a.seconds
        if done >= 1:
            break
        ids, length = source.w.take(idx)
        # Words blanked in most windows: no single word may decide.
        blank = (torch.rand(ids.shape, device=device) < 0.12) & (torch.rand((len(ids), 1), device=device) < 0.6) & (ids >= len(SPECIALS))
        for g in opt.param_groups:
            g["lr"] = a.lr * min(1, (step + 1) / 100) * max(0.02, 1 - done)
        with torch.autocast(device, torch.bfloat16):
            z = m(ids.masked_fill(blank, UNK), length, a.drop)
        loss = source.loss(z.float(), idx)
        opt.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(m.parameters(), 1.0)
        opt.step()
        step += 1
        with torch.no_grad():
            for p, kept in zip(m.parameters(), mean):
                kept.lerp_(p, 1 - min(a.average, 1 - 1 / (step + 1)))
        acc += loss.detach()
        if step % 500 == 0:
            print(f"step {step} ({100 * done:.0f} %) loss {float(acc) / 500:.4f} {time.time() - t0:.0f}s", flush=True)
            acc = 0.0
        if step % 2000 == 0:
            torch.save(dict(model={k: kept for (k, _), kept in zip(m.named_parameters(), mean)}, shape=m.shape), a.out + ".part")
    for p, kept in zip(m.parameters(), mean):
        p.data = kept
    torch.save(dict(model=m.state_dict(), shape=m.shape), a.out)
    s = scores(m, Windows(a.dev, device))
    best, lab, src, channel = rows_of(a.dev, np.stack([s] * 4, 1))[:4]
    o = report(best, lab, src, channel)
    print(f"{step} steps; alone on dev: recall at 1 % {o['recall'][0.01]:.3f}, at 0.1 % {o['recall'][0.001]:.3f}, auc {o['auc']:.4f}")
    # An early stage lets many pass: what it finds where a tenth of the harmless texts go on.
    passed = best >= np.quantile(best[lab == 0], 0.9)
    found = {x: passed[(src == x) & (lab == 1)].mean() for x in sorted(set(src[lab == 1]))}
    print(f"without {' '.join(a.without) or 'nothing'}: at 10 % {passed[lab == 1].mean():.3f};", ", ".join(f"{k} {v:.2f}" for k, v in found.items()))


if __name__ == "__main__":
    main()

"""Teacher and student.

    python train.py both --base work/base/base.npz --train work/train.npz --out work/run
    python train.py student --teacher work/run/teacher.pt --base … --train … --out work/run2 --layers 0,4,8,11 --ff 1024

Runs on any device; checkpoints every --save seconds and goes on from one that is there. Seeds are fixed; on a GPU sums are not.
"""
import argparse
import json
import math
import os
import queue
import threading
import time

import numpy as np
import torch
from torch.nn import functional as F

import model as M
from text import SPECIALS, UNK

SEED = 5
SPECIAL = len(SPECIALS)
ROW = 128  # places of a packed row
# Sources whose total weight is raised: they are few and they carry meaning. Plain tasks planted in data are what the model finds hardest.
RAISED = {"corpus_": 3.0, **dict.fromkeys(("corpus_a" + x for x in "bcdefghijmnopqtuvw"), 2.0), **dict.fromkeys(("corpus_b" + x for x in "abcdegh"), 3.0)}
EASY = 0.15
ATTACKS = 0.7  # total weight of attacks against that of harmless windows


class Data:
    def __init__(self, path, without=(), device="cpu", plain=False, easy=None, share=1.0):
        z = np.load(path)
        self.names = {int(k): v for k, v in json.loads(str(z["names"])).items()}
        self.length = z["length"].astype(np.int64)
        self.start = np.concatenate([[0], np.cumsum(self.length)])[:-1]
        self.label, self.bag, self.source = z["label"], z["bag"], z["source"]
        w = z["weight"].astype(np.float64)
        for k, v in self.names.items():
            for p, f in RAISED.items():
                if v.startswith(p):
                    w[self.source == k] *= f
            if any(v.startswith(x) for x in without):
                w[self.source == k] = 0
        if easy is not None:
            # Harmless windows that the first stage clears come seldom: the second stage hardly sees them.
            w[easy & (self.label[:, 0] == 0)] *= EASY
        if not plain:
            # On every channel attacks weigh ATTACKS of what is harmless: else a channel would be the signal. A bag counts once.
            size = np.bincount(self.bag[self.bag >= 0], minlength=1)
            once = np.where(self.bag >= 0, w / np.maximum(1, size[np.maximum(self.bag, 0)] if len(size) else 1), w)
            channel = z["tokens"][self.start]
            for c in np.unique(channel):
                here = channel == c
                a = here & (self.label[:, 0] == 1)
                if a.any():
                    w[a] *= np.clip(ATTACKS * once[here & ~a].sum() / max(1e-9, once[a].sum()), 0.3, 4)
        self.weight = (w * share).astype(np.float32)
        self.tokens = z["tokens"].astype(np.int64)
        self.device = device
        self.t_label = torch.from_numpy(self.label.astype(np.int64)).to(device)
        self.t_bag = torch.from_numpy(self.bag.astype(np.int64)).to(device)
        # A unit is a window or a whole bag.
        units = {}
        for i, b in enumerate(self.bag):
            if w[i] > 0:
                units.setdefault(int(b) if b >= 0 else -2 - i, []).append(i)
        self.units = [np.array(u) for u in units.values()]
        self.unit_weight = np.array([self.weight[u[0]] for u in self.units])

    def drawn(self, rng):
        """Units of an epoch: one of weight 2.3 comes twice, and a third time with probability 0.3."""
        w = self.unit_weight
        n = np.floor(w + rng.random(len(w))).astype(int)
        order = np.repeat(np.arange(len(w)), n)
        rng.shuffle(order)
        return order

    def pack(self, units, rows, rng=None):
        """Rows of 128 places filled with whole windows; yields index arrays of one shape for every batch."""
        at, n = 0, len(units)
        firsts = rows * 4
        while at < n:
            room = [[] for _ in range(ROW + 1)]
            room[ROW] = list(range(rows))
            free, put, where = rows * ROW, [], []
            while at < n and len(put) < firsts - 8:
                u = self.units[units[at]]
                spots = []
                for i in u:
                    l = int(self.length[i])
                    fit = next((c for c in range(l, ROW + 1) if room[c]), None)
                    if fit is None:
                        break
                    r = room[fit].pop()
                    room[fit - l].append(r)
                    spots.append((i, r, ROW - fit))
                if len(spots) < len(u):
                    for i, r, o in reversed(spots):
                        room[ROW - o - int(self.length[i])].remove(r)
                        room[ROW - o].append(r)
                    break
                for s in spots:
                    put.append(s)
                at += 1
            yield self.lay(put, rows, firsts, rng)

    def lay(self, put, rows, firsts, rng=None):
        win, row, off = (np.array(x, np.int64) for x in zip(*put))
        l = self.length[win]
        flat = np.repeat(row * ROW + off, l) + self.within(l)
        ids = np.ones(rows * ROW, np.int64)
        seg = np.full(rows * ROW, -1, np.int64)
        place = np.zeros(rows * ROW, np.int64)
        ids[flat] = self.tokens[np.repeat(self.start[win], l) + self.within(l)]
        if rng is not None:
            # Words blanked in a third of the windows: no single word may decide.
            blank = (rng.random(len(flat)) < 0.1) & np.repeat(rng.random(len(win)) < 0.33, l) & (ids[flat] >= SPECIAL)
            ids[flat[blank]] = UNK
        seg[flat] = np.repeat(np.arange(len(win)), l)
        place[flat] = self.within(l)
        first = np.zeros(firsts, np.int64)
        first[: len(win)] = row * ROW + off
        windows = np.full(firsts, -1, np.int64)
        windows[: len(win)] = win
        shape = (rows, ROW)
        return ids.reshape(shape), seg.reshape(shape), place.reshape(shape), first, windows

    @staticmethod
    def within(l):
        ends = np.cumsum(l)
        return np.arange(ends[-1]) - np.repeat(ends - l, l)


def ahead(make, device, depth=12):
    """Batches made in a thread and sent to the device."""
    q = queue.Queue(depth)

    def work():
        for b in make:
            q.put([torch.from_numpy(x).pin_memory() if device == "cuda" else torch.from_numpy(x) for x in b])
        q.put(None)

    threading.Thread(target=work, daemon=True).start()
    while (b := q.get()) is not None:
        yield [x.to(device, non_blocking=True) for x in b]


def chosen(logits, bags):
    """Of each bag the window that looks most like an attack; of single windows themselves."""
    keep = torch.ones(len(bags), dtype=torch.bool, device=logits.device)
    if (bags >= 0).any():
        key, inv = torch.unique(bags, return_inverse=True)
        top = torch.full((len(key),), -1e9, device=logits.device).scatter_reduce(0, inv, logits.detach(), "amax")
        keep = (bags < 0) | (logits.detach() >= top[inv])
    return keep


def loss_of(logits, label, weight, bags, smooth=0.002):
    keep = chosen(logits[:, 0], bags)
    known = label != 255
    y = label.clamp(max=1).float()
    y = y * (1 - 2 * smooth) + smooth
    l = F.binary_cross_entropy_with_logits(logits, y, reduction="none") * known
    l = l[:, 0] + 0.3 * l[:, 1:].sum(1)
    w = weight * keep
    return (l * w).sum() / w.sum().clamp(min=1e-6)


def infer(m, data, rows=512, device="cuda", states=False, only=None):
    """Logits of every window; with `only`, of those, and -30 for the rest."""
    m.eval()
    out = np.full((len(data.length), len(M.LABELS)), -30, np.float32)
    order = np.argsort(-data.length, kind="stable")
    if only is not None:
        order = order[only[order]]
    hid = np.zeros((len(data.length), m.shape["h"]), np.float16) if states else None
    units, data.units = data.units, [np.array([i]) for i in range(len(data.length))]
    with torch.no_grad(), torch.autocast(device, torch.bfloat16):
        for ids, seg, place, first, win in ahead(data.pack(order, rows), device):
            logits, y = m(ids, seg, place, first, states=True)
            k = (win >= 0).cpu().numpy()
            w = win.cpu().numpy()[k]
            out[w] = logits.cpu().numpy()[k]
            if states:
                hid[w] = y.float().cpu().numpy()[k]
    data.units = units
    return (out, hid) if states else out


def groups(m, lr, decay):
    vectors = ("special", "pos", "channel")
    taught = [(n, p) for n, p in m.named_parameters() if p.requires_grad]
    slow = [p for n, p in taught if p.ndim > 1 and n not in vectors]
    other = [p for n, p in taught if p.ndim < 2 or n in vectors]
    return [dict(params=slow, weight_decay=decay, lr=lr), dict(params=other, weight_decay=0.0, lr=lr)]


def load(path, base_path):
    s = torch.load(path, map_location="cpu")
    m = M.base(base_path, len(SPECIALS), s["layers"], s["shape"]["ff"])
    m.load_state_dict({k: M.opened(v) for k, v in s["model"].items()})
    m.frozen, m.taken = s.get("frozen", 0), s["layers"]
    m.narrow(s.get("four", 0))
    return m


def fit(m, data, a, device, out, layers, lr, seconds, epochs, told=None, steps=0):
    """Trains m for so many seconds or epochs, whichever ends first; the learning rate falls with what has passed."""
    if not a.no_compile:
        torch._dynamo.config.suppress_errors = True
        for l in m.layers[:-1]:
            l.compile()
    opt = torch.optim.AdamW(groups(m, lr, 0.01), betas=(0.9, 0.98), fused=device == "cuda")
    step = 0
    if os.path.exists(out + ".run"):
        s = torch.load(out + ".run", map_location=device)
        m.load_state_dict(s["model"]), opt.load_state_dict(s["opt"])
        step = s["step"]

    def forever():
        e = step
        while True:
            rng = np.random.default_rng([a.seed, e])
            yield from data.pack(data.drawn(rng), a.rows, rng)
            e += 1

    # A running mean of the weights: small batches at a high rate are noise, and their mean is not.
    mean = [(p, p.detach().clone()) for p in m.parameters() if p.requires_grad] if a.average else []

    def averaged():
        for p, kept in mean:
            p.data, kept.data = kept.data, p.data

    per = float((data.unit_weight * [data.length[u].sum() for u in data.units]).sum()) / (a.rows * ROW)
    total = steps or int(per * epochs)
    print(f"{out}: {sum(p.numel() for p in m.parameters() if p.requires_grad) / 1e6:.1f}M trained, {len(data.units)} units, about {per:.0f} steps an epoch, {total} steps at most", flush=True)
    t0 = time.time()
    saved, shown, acc, began = t0, step, 0.0, None
    m.train()
    for ids, seg, place, first, win in ahead(forever(), device):
        # The clock starts when the first steps have been compiled.
        if step == 3:
            began = time.time()
        spent = (time.time() - began) / max(1, seconds - (began - t0)) if began else 0
        done = max(step / total, spent)
        if done >= 1:
            break
        scale = min(1, (step + 1) / 150) * max(0.02, a.floor + (1 - a.floor) * 0.5 * (1 + math.cos(math.pi * done)))
        for g in opt.param_groups:
            g["lr"] = lr * scale
        real = (win >= 0).float()
        w = win.clamp(min=0)
        with torch.autocast(device, torch.bfloat16):
            logits, y = m(ids, seg, place, first, states=True)
        bags = torch.where(win >= 0, data.t_bag[w], -1)
        loss = loss_of(logits, data.t_label[w], real, bags)
        if told is not None:
            kd = F.binary_cross_entropy_with_logits(logits, torch.sigmoid(told[0][w]), reduction="none").sum(1)
            hid = ((y.float() - told[1][w].float()) ** 2).mean(1)
            loss = 0.3 * loss + ((kd + 0.5 * hid) * real).sum() / real.sum()
        opt.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(m.parameters(), 1.0)
        opt.step()
        with torch.no_grad():
            for p, kept in mean:
                kept.lerp_(p, 1 - min(a.average, 1 - 1 / (step + 1)))
        acc += loss.detach()
        step += 1
        if step % 200 == 0 or step == total or step == 3:
            print(f"step {step} ({100 * done:.0f} %) loss {float(acc) / (step - shown):.4f} {time.time() - t0:.0f}s", flush=True)
            acc, shown = 0.0, step
        if time.time() - saved > a.save:
            torch.save(dict(model=m.state_dict(), opt=opt.state_dict(), step=step), out + ".run")
            if mean:
                averaged(), keep(m, out + ".mean", layers), averaged()
            saved = time.time()
    averaged()
    print("ready", out, f"{step} steps {time.time() - t0:.0f}s", flush=True)


def keep(m, path, layers):
    torch.save(dict(model={k: v.detach().cpu() for k, v in m.state_dict().items()}, shape=m.shape, layers=layers, frozen=m.frozen, four=m.four), path)


def main():
    a = argparse.ArgumentParser()
    a.add_argument("what", choices=["teacher", "student", "both"])
    a.add_argument("--base", required=True)
    a.add_argument("--train", required=True)
    a.add_argument("--out", required=True, help="folder")
    a.add_argument("--teacher", help="a teacher to go on with, or the student's")
    a.add_argument("--layers", default="0,4,8,11", help="the student's, as layers of the teacher")
    a.add_argument("--ff", type=int, default=1024)
    a.add_argument("--epochs", type=float, nargs=2, default=[8, 40])
    a.add_argument("--seconds", type=float, nargs=2, default=[1e9, 1e9], help="teacher's and student's")
    a.add_argument("--lr", type=float, nargs=2, default=[2e-4, 4e-4])
    a.add_argument("--rows", type=int, default=256)
    a.add_argument("--sieve", help="first stage's scores of the windows (sieve.py --scores): easy ones come seldom")
    a.add_argument("--share", type=float, default=1.0, help="of every weight, to make an epoch shorter")
    a.add_argument("--frozen", type=int, default=0, help="so many of the student's layers stay as they are")
    a.add_argument("--four", type=int, default=0, help="so many of the student's layers are learned for four bits")
    a.add_argument("--floor", type=float, default=0.0, help="the learning rate ends at this share of the first: for a run that another goes on with")
    a.add_argument("--average", type=float, default=0.0, help="keeps a running mean of the weights, this share of the one before at each step; what is kept is the mean")
    a.add_argument("--drop", type=float, default=0.1)
    a.add_argument("--untold", action="store_true", help="a student from the teacher's layers that learns from labels alone: for a CPU")
    a.add_argument("--without", nargs="*", default=[])
    a.add_argument("--save", type=float, default=60)
    a.add_argument("--steps", type=int, default=0, help="stop early; for trying out")
    a.add_argument("--seed", type=int, default=SEED, help="of the order: two runs from one beginning may be averaged (mean.py)")
    a.add_argument("--no-compile", action="store_true")
    a = a.parse_args()
    device = "cuda" if torch.cuda.is_available() else "cpu"
    torch.manual_seed(a.seed)
    torch.set_float32_matmul_precision("high")
    layers = [int(x) for x in a.layers.split(",")]
    t0 = time.time()
    os.makedirs(a.out, exist_ok=True)
    easy = None
    if a.sieve:
        s = np.load(a.sieve)["train"]
        label = np.load(a.train)["label"][:, 0]
        easy = s < np.quantile(s[label == 0], 0.6)
    data = Data(a.train, a.without, device, easy=easy, share=a.share)
    m = load(a.teacher, a.base) if a.teacher else M.base(a.base, len(SPECIALS))
    all_layers = list(range(len(m.layers)))
    m = m.to(device)
    if device == "cuda":
        m.words = m.words.to(torch.bfloat16)
    print(f"ready in {time.time() - t0:.0f}s", flush=True)
    if a.what != "student":
        fit(m, data, a, device, f"{a.out}/teacher.pt", all_layers, a.lr[0], a.seconds[0], a.epochs[0], steps=a.steps)
        keep(m, f"{a.out}/teacher.pt", all_layers)
    if a.what != "teacher":
        t1, told = time.time(), None
        if not a.untold:
            logits, hid = infer(m, data, device=device, states=True)
            np.savez(f"{a.out}/told.npz", logits=logits.astype(np.float16))
            print(f"told in {time.time() - t1:.0f}s", flush=True)
            told = torch.from_numpy(logits).to(device), torch.from_numpy(hid).to(device)
        s = M.cut(m, layers, a.ff).to(device)
        s.drop = a.drop
        if a.frozen:
            s.freeze(a.frozen)
        s.narrow(a.four)
        fit(s, data, a, device, f"{a.out}/student.pt", layers, a.lr[1], a.seconds[1], a.epochs[1], told=told, steps=a.steps)
        s.settle()
        keep(s, f"{a.out}/student.pt", layers)
    print(f"saved after {time.time() - t0:.0f}s", flush=True)
    os._exit(0)


if __name__ == "__main__":
    main()

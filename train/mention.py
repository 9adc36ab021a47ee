"""Whether a text uses an attack or mentions one: what lowers the score of texts in which rules found something (`crates/inspect/src/mention.rs`).

    portcullis scan --jsonl < texts.jsonl > scanned.jsonl        # with injection.model: off; texts: data/train/*.jsonl and corpus/*.jsonl
    python mention.py --texts texts.jsonl --scanned scanned.jsonl

Fits a logistic regression on the texts that rules found something in, each source weighing the square root of its size, harmless texts
together as much as attacks; prints the numbers that stand in the source. Dev is not read.
"""
import argparse
import collections
import json
import math
import re

import numpy as np
import torch

# Beginnings of words of those who write about attacks.
STEMS = """adversar attack classif defen detect exampl exploit guardrail incident inject jailbreak llm malicious mitigat moderat owasp payload phras
quot redteam report sanitis sanitiz secur test threat untrusted vulnerab""".split()
QUOTES = set("\"'`“”‘’«»„「」")
NEAR = 40  # characters before and behind
SKIPPED = ("safe_guard", "neuralchemy", "tensor_trust_defenses")
ATTACKS = {"injection", "jailbreak", "extraction"}


def features(text, spans):
    words = re.findall(r"[a-z]+", text.lower())
    stems = {s for w in words for s in STEMS if w.startswith(s)}
    quoted = sum(bool(QUOTES & set(text[max(0, a - NEAR) : a])) and bool(QUOTES & set(text[b : b + NEAR])) for a, b, _ in spans)
    kinds = {k for _, _, k in spans}
    return [min(len(stems), 10), quoted / len(spans), min(len(kinds), 4), math.log(1 + min(len(spans), 20))]


def main():
    a = argparse.ArgumentParser()
    a.add_argument("--texts", required=True)
    a.add_argument("--scanned", required=True)
    a = a.parse_args()
    rows = {r["id"]: r for r in map(json.loads, open(a.texts, encoding="utf-8"))}
    x, y, source = [], [], []
    for one in map(json.loads, open(a.scanned, encoding="utf-8")):
        row = rows[one["id"]]
        spans = [(f["start"], f["end"], f["type"]) for f in one["findings"] if f["type"].startswith("injection.")]
        where = row.get("source", "corpus_" + row["id"][0])
        if spans and where not in SKIPPED and row["label"] in ATTACKS | {"benign"}:
            x.append(features(row["text"], spans)), y.append(row["label"] in ATTACKS), source.append(where)
    x, y = torch.tensor(x), torch.tensor(y).float()
    size = collections.Counter(zip(source, y.tolist()))
    w = torch.tensor([size[key] ** -0.5 for key in zip(source, y.tolist())])
    w[y == 0] *= w[y == 1].sum() / w[y == 0].sum()
    w /= w.mean()
    weights, bias = torch.zeros(x.shape[1], requires_grad=True), torch.zeros(1, requires_grad=True)
    opt = torch.optim.LBFGS([weights, bias], max_iter=500)

    def loss():
        opt.zero_grad()
        l = (torch.nn.functional.binary_cross_entropy_with_logits(x @ weights + bias, y, reduction="none") * w).mean() + 1e-3 * (weights**2).sum()
        l.backward()
        return l

    opt.step(loss)
    said = (x @ weights + bias).detach().numpy()
    low = np.quantile(said[y.numpy() == 1], 0.1)
    print(f"{len(y)} texts, {int((y == 0).sum())} harmless; stems, quoted, kinds, findings: {weights.detach().numpy().round(3).tolist()} bias {bias.item():.3f}")
    print(f"below what nine of ten attacks reach: {(said[y.numpy() == 0] < low).mean():.2f} of the harmless")


if __name__ == "__main__":
    main()

"""Rows to train on: sources by licence, noise rules, caps and weights; near-duplicates removed; the corpus added.

    python prepare.py --data DATA/train --readme DATA/README.md --dev DATA/dev --corpus corpus --out work/rows.jsonl

`--dev` is read for one purpose: a row of ours that resembles a row of dev is dropped.
"""
import argparse
import json
import random
import re
import zlib
from collections import Counter, defaultdict
from pathlib import Path

SEED = 7
# At most so many rows of a source (drawn at random), and what a row of it weighs. Reasons are the data's README's remarks.
CAPS = {
    "sap200": (350, 0.7),  # uniform openings
    "jailbench_zh": (250, 0.7),  # twenty openings
    "jailbreak_llms": (900, 1.5),  # a sixth are personas and games
    "hivetrace_extraction_ru": (120, 0.7),
    "composed_indirect_train": (2500, 0.6),  # templates: our own compositions carry this task
    "composed_benign_train": (2500, 0.8),
    "composed_user_attacks_train": (600, 0.6),
    "composed_jailbreak_train": (500, 0.7),
    "obfuscated_attacks_train": (900, 0.6),
    "obfuscated_benign_train": (1300, 0.8),
    "p3_t0": (3500, 1.0),
    "gpteacher": (3500, 1.0),
    "banking77": (700, 1.0),
    "gsm8k": (400, 1.0),
    "taskmaster4": (500, 1.0),
    "tau_bench": (800, 1.0),
    "plexpt_zh": (2200, 1.0),
    "blackfriday_gpts": (1770, 0.7),
    "korean_chatbot": (600, 1.0),
    "nsmc": (300, 1.0),
}
DROPPED = {
    "fuzzyai": "harmful outputs and statements",
    "gptfuzz_templates": "three rows, near-duplicates of jailbreak_llms",
}
# A plain harmful question attacks nobody's instructions. It is taught as harmless to the *technique* detector, at a low weight.
HARMFUL = (2500, 0.4)
DERIVED = re.compile(r"\b(?:from|ctx|template)=(\w+)")
MORE = (5000, 0.5)  # passages out of packages of each channel at most, and what one weighs
HELD = 20  # one corpus pair of so many is kept for measuring when --hold is given


def unclear(readme: str):
    out, name = set(), None
    for line in readme.splitlines():
        if line.startswith("### "):
            name = line[4:].strip()
        elif "**flag: unclear**" in line:
            out.add(name)
    return out


def shingles(text: str):
    t = re.sub(r"\W+", " ", text.lower())[:2000]
    return {zlib.crc32(t[i : i + 9].encode()) for i in range(0, max(1, len(t) - 8))}


class Near:
    """Jaccard resemblance by a sketch: the 40 smallest shingle hashes of a text."""

    def __init__(self):
        self.by = defaultdict(list)
        self.sketches = []

    def like(self, text, limit):
        s = sorted(shingles(text))[:40]
        hits = Counter(j for h in s for j in self.by.get(h, ()))
        for j, n in hits.most_common(3):
            o = self.sketches[j]
            if n / max(1, min(len(s), len(o))) >= limit:
                return j
        return None

    def add(self, text):
        s = sorted(shingles(text))[:40]
        for h in s:
            if len(self.by[h]) < 200:
                self.by[h].append(len(self.sketches))
        self.sketches.append(s)


def main():
    a = argparse.ArgumentParser()
    a.add_argument("--data", required=True)
    a.add_argument("--readme", required=True)
    a.add_argument("--dev")
    a.add_argument("--corpus", nargs="*", default=[])
    a.add_argument("--more", nargs="*", default=[], help="harmless passages (packages.py), as hosts and as they are")
    a.add_argument("--hold", action="store_true")
    a.add_argument("--out", required=True)
    a = a.parse_args()
    rng = random.Random(SEED)
    out_of = unclear(open(a.readme, encoding="utf-8").read())
    rows, told = [], {}
    for f in sorted(Path(a.data).glob("*.jsonl")):
        name = f.stem
        got = [json.loads(l) for l in open(f, encoding="utf-8")]
        if name in out_of or name in DROPPED:
            told[name] = f"left out: {'licence unclear' if name in out_of else DROPPED[name]}"
            continue
        got = [r for r in got if "weak_label" not in (r.get("note") or "") and "contested_label" not in (r.get("note") or "")]
        # A row made from a row of a source that stays out stays out too.
        got = [r for r in got if not (DERIVED.search(r.get("note") or "") and out_of & set(DERIVED.findall(r["note"])))]
        cap, weight = CAPS.get(name, (10**9, 1.0))
        rng.shuffle(got)
        kept = 0
        for r in got[:cap]:
            label = r["label"]
            rows.append(dict(id=r["id"], text=r["text"], label=label, channel=r["channel"], lang=r["lang"], source=name, weight=weight, note=r.get("note") or ""))
            kept += 1
        told[name] = kept
    harmful = [r for r in rows if r["label"] == "harmful_request"]
    rng.shuffle(harmful)
    keep = {id(r) for r in harmful[: HARMFUL[0]]}
    for r in rows:
        if r["label"] == "harmful_request":
            r["weight"] = HARMFUL[1] if id(r) in keep else 0.0
    near_dev, near_own = Near(), Near()
    if a.dev:
        for f in sorted(Path(a.dev).glob("*.jsonl")):
            for l in open(f, encoding="utf-8"):
                near_dev.add(json.loads(l)["text"])
    fell = Counter()
    for f in a.more:
        got = [json.loads(l) for l in open(f, encoding="utf-8")]
        rng.shuffle(got)
        taken = Counter()
        for r in got:
            if taken[r["channel"]] >= MORE[0] or (a.dev and near_dev.like(r["text"], 0.5) is not None):
                continue
            taken[r["channel"]] += 1
            rows.append(dict(id=r["id"], text=r["text"], label="benign", channel=r["channel"], lang=r["lang"], source=r["source"], weight=MORE[1], note=""))
        told[Path(f).name] = dict(taken)
    files = sorted(p for c in a.corpus for p in Path(c).glob("*.jsonl"))
    for f in files:
        for n, line in enumerate(open(f, encoding="utf-8"), 1):
            if not line.strip():
                continue
            try:
                r = json.loads(line)
                text, label, pair = r["text"], r["label"], r["pair"]
            except (ValueError, KeyError):
                fell["unreadable"] += 1
                continue
            if label not in ("injection", "jailbreak", "extraction", "benign"):
                fell["label"] += 1
                continue
            if a.dev and near_dev.like(text, 0.5) is not None:
                fell["resembles dev"] += 1
                continue
            # In a long host one other sentence is another attack.
            if label != "benign" and near_own.like(text, 0.7 if len(text) < 300 else 0.97) is not None:
                fell["twice"] += 1
                continue
            if label != "benign":
                near_own.add(text)
            held = a.hold and zlib.crc32(pair.encode()) % HELD == 0
            rows.append(dict(id=r["id"], text=text, label=label, channel=r["channel"], lang=r.get("lang", "en"), source="corpus_" + f.stem.lower(), weight=1.0, note=r.get("family", ""), pair=pair, held=held))
    with open(a.out, "w", encoding="utf-8") as f:
        for r in rows:
            f.write(json.dumps(r, ensure_ascii=False) + "\n")
    for k, v in told.items():
        print(k, v)
    print("corpus:", Counter((r["source"], r["label"]) for r in rows if r["source"].startswith("corpus_")), "fell:", dict(fell))
    print("all:", Counter(r["label"] for r in rows), len(rows))


if __name__ == "__main__":
    main()

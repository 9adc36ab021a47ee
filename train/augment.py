"""From rows to windows: compositions, twins, disguises, channels; written as token ids.

    python augment.py --rows work/rows.jsonl --pieces work/base/pieces.json --out work/train [--scale 1.0] [--seed 11 12 13]
    python augment.py --dev DATA/dev --pieces work/base/pieces.json --out work/dev

A window carries a label for each of (any, injection, jailbreak, extraction); 255 is "unknown". Where the place of an attack in a
text is known, windows are labelled by it. Where it is not, the windows of a text form a bag: its likeliest window must be the attack.
"""
import argparse
import base64
import difflib
import json
import random
import re
from collections import Counter, defaultdict
from pathlib import Path

import numpy as np

import hosts
import phrases
from text import BODY, CHANNELS, Pieces, cuts, normalise, window

SEED = 11
LABELS = ["any", "injection", "jailbreak", "extraction"]
BENIGN = (0, 0, 0, 0)
ATTACK = {"injection": (1, 1, 0, 0), "jailbreak": (1, 0, 1, 0), "extraction": (1, 0, 0, 1)}
SLOT = re.compile(r"\{(\w+)\}")


WORDS = re.compile(r"\s+|\w+|[^\w\s]")
BOUND = re.compile(r"[.!?。！？।|\n\"{}<>()\[\]]")


def difference(attack, twin):
    """Where an attack differs from its innocent twin, widened to whole sentences or fields: (begin, end) in both."""
    a, b = WORDS.findall(attack), WORDS.findall(twin)
    ops = [o for o in difflib.SequenceMatcher(None, a, b, autojunk=False).get_opcodes() if o[0] != "equal"]
    if not ops:
        return None

    def widened(text, parts, i, j):
        lo, hi = len("".join(parts[:i])), len("".join(parts[:j]))
        ends = [m.end() for m in BOUND.finditer(text, 0, lo)]
        lo = ends[-1] if ends else 0
        m = BOUND.search(text, max(0, hi - 1))
        hi = m.start() + (m[0] in ".!?。！？।") if m else len(text)
        return lo, max(hi, lo)

    return widened(attack, a, ops[0][1], ops[-1][2]), widened(twin, b, ops[0][3], ops[-1][4])


def filled(r, text, **more):
    return SLOT.sub(lambda m: more[m[1]] if m[1] in more else r.choice(phrases.SLOTS[m[1]]), text)


def capital(r, text):
    return text[:1].upper() + text[1:] if r.random() < 0.6 else text


def r_channel(text):
    return ("document", "tool_result", "email")[len(text) % 3]


class Maker:
    def __init__(self, rows, rng):
        self.r = rng
        self.out = []
        self.hosts = defaultdict(list)
        self.abroad = defaultdict(list)
        self.spoken = None
        self.asks, self.sentences, self.harmful, self.code = [], [], [], []
        self.payloads, self.twins, self.corpus = [], [], []
        for x in rows:
            t, ch, src = x["text"], x["channel"], x["source"]
            if x["label"] == "harmful_request":
                self.harmful.append(t)
            if src.startswith("corpus_"):
                if x.get("held"):
                    continue
                self.corpus.append(x)
                if x["channel"] == "user" and len(t) < 500:
                    (self.payloads if x["label"] == "injection" else self.twins if x["label"] == "benign" else []).append(x)
                if x["label"] == "benign" and ch != "user" and len(t) > 80:
                    if len(t) > 200:
                        self.hosts[ch].append(t)
                    if x["lang"] != "en" and ch != "system":
                        self.abroad[x["lang"]].append((ch, t))
                continue
            if x["label"] != "benign" or x["weight"] == 0 or "obfuscated" in x["note"] or "quotes_attack" in x["note"]:
                continue
            if ch == "code" or src == "cyberseceval_code":
                self.code.append(t)
            if ch in ("email", "document", "tool_result") and "composed" not in x["note"]:
                self.hosts[ch].append(t)
                if x["lang"] != "en":
                    self.abroad[x["lang"]].append((ch, t))
            elif src in ("jglue", "korean_chatbot", "moonshot_benign", "plexpt_zh", "oasst_fr") and len(t) > 40:
                self.abroad[x["lang"]].append((r_channel(t), t))
            if ch == "user" and src in ("gpteacher", "plexpt_zh", "prompts_chat", "moonshot_benign", "oasst_fr", "toolalpaca", "blackfriday_gpts") and 12 < len(t) < 260 and "\n\n" not in t:
                self.asks.append(t)
            if src in ("p3_t0", "xquad", "gpteacher", "spamassassin_train", "oss_code_docs_train", "tau_bench", "gsm8k", "jglue", "banking77", "nsmc"):
                for s in hosts.SENTENCE.split(t)[:6]:
                    if 20 < len(s) < 220 and not re.search(r"[{}\[\]<>]", s):
                        self.sentences.append(s.strip())
        # What an attack of the corpus has and its twin has not: payloads with a known place, and their innocent counterparts.
        self.span, self.tips, self.mild = {}, [], []
        pairs = defaultdict(list)
        for x in self.corpus:
            pairs[x["pair"]].append(x)
        for rows in pairs.values():
            bad = [x for x in rows if x["label"] == "injection" and x["channel"] != "user"]
            good = [x for x in rows if x["label"] == "benign"]
            if len(bad) != 1:
                continue
            for g in good:
                d = difference(bad[0]["text"], g["text"])
                if not d:
                    continue
                (lo, hi), (lo2, hi2) = d
                if hi - lo < 0.75 * len(bad[0]["text"]) and hi - lo > 15:
                    self.span[bad[0]["id"]] = (lo, hi)
                    self.tips.append(bad[0]["text"][lo:hi].strip())
                    if hi2 - lo2 > 15:
                        self.mild.append(g["text"][lo2:hi2].strip())
        print(len(self.tips), "payloads and", len(self.mild), "counterparts out of pairs")
        print({k: len(v) for k, v in self.hosts.items()}, len(self.code), "code", len(self.asks), "asks", len(self.sentences), "sentences", len(self.payloads), "payloads")

    # What fills the hosts.
    def fill(self, words):
        s = self.r.choice(self.sentences)
        if words > 20 and self.r.random() < 0.6:
            s += " " + self.r.choice(self.sentences)
        parts = s.split(" ")
        return " ".join(parts[:words])[: words * 8]

    def lang(self):
        return self.r.choice(list(phrases.LANGS))

    # Insides of three kinds.
    def goal(self):
        r = self.r
        if r.random() < 0.22:
            return filled(r, r.choice(phrases.LANGS[self.lang()][1]))
        return filled(r, r.choice(phrases.GOALS))

    def injected(self):
        """What hijacks when it stands in data."""
        r, roll = self.r, self.r.random()
        self.spoken = None
        if roll < 0.08 and self.payloads:
            return r.choice(self.payloads)["text"]
        if roll < 0.44 and self.tips:
            return r.choice(self.tips)
        if roll < 0.6:
            return r.choice(self.asks)
        if roll < 0.7:
            lang = self.lang()
            self.spoken = lang
            o, g = phrases.LANGS[lang][0], phrases.LANGS[lang][1]
            goals = " ".join(capital(r, filled(r, x)) + r.choice([".", ".", "!", ""]) for x in r.sample(g, r.choice([1, 1, 1, 2])))
            return goals if r.random() < phrases.BARE else f"{capital(r, r.choice(o))} {goals[:1].lower() + goals[1:]}"
        g = filled(r, r.choice(phrases.GOALS))
        if r.random() < 0.3:
            g += r.choice([" and ", ", then ", ". Then ", "; also "]) + filled(r, r.choice(phrases.GOALS))
        closer = r.choice(phrases.CLOSERS)
        if r.random() < phrases.BARE:
            return capital(r, g) + closer
        return f"{capital(r, r.choice(phrases.OPENERS))}{r.choice([' ', ' ', ' ', chr(10)])}{g}{closer}"

    def harmless(self):
        """What may stand in the same place and hijacks nothing."""
        r, roll = self.r, self.r.random()
        self.spoken = None
        if roll < 0.35 and self.mild:
            return r.choice(self.mild)
        if roll < 0.47:
            lang = self.lang()
            self.spoken = lang
            return " ".join(capital(r, filled(r, x)) + "." for x in r.sample(phrases.LANGS[lang][2], 1))
        if roll < 0.66:
            return " ".join(filled(r, x) for x in r.sample(phrases.ABOUT, r.choice([1, 1, 2])))
        if roll < 0.72:
            return self.fill(40)
        g = filled(r, r.choice(phrases.HUMAN))
        if r.random() < 0.25:
            g += r.choice([" and ", ". Then ", ", then "]) + filled(r, r.choice(phrases.HUMAN))
        end = r.choice([".", ".", "!", ". Thank you!", ". This is mandatory.", " as soon as possible.", " immediately.", ""])
        if r.random() < 0.35:
            return capital(r, g) + end
        return f"{capital(r, filled(r, r.choice(phrases.HUMAN_OPENERS)))} {g}{end}"

    def quoted(self):
        r = self.r
        return filled(r, r.choice(phrases.QUOTES), x=self.injected().replace('"', "'")[:200])

    # A place for it.
    def placed(self, x):
        r, roll = self.r, self.r.random()
        if roll < 0.45:
            return r.choice(hosts.BUILDERS)(r, self.fill, x)
        if roll < 0.55 and self.code:
            code = r.choice(self.code)
            at = r.randint(0, max(0, len(code) - 900))
            return hosts.in_code(r, code[at : at + r.randint(150, 900)], x.replace("\n", " "))
        ch = r.choices(["email", "document", "tool_result"], [0.35, 0.4, 0.25])[0]
        host = r.choice(self.hosts[ch])
        size = r.choice([200, 400, 800, 1500])
        if self.spoken in self.abroad and r.random() < 0.75:
            ch, host = r.choice(self.abroad[self.spoken])
            size //= 3 if self.spoken in ("zh", "ja", "ko") else 1
        at = r.randint(0, max(0, len(host) - size))
        return *hosts.in_text(r, host[at : at + size], x), ch

    def disguised(self, text):
        """Light traces of disguises: the runtime's views undo most, a trace may stay."""
        r, roll = self.r, self.r.random()
        if roll < 0.25:
            table = {"a": "а", "e": "е", "o": "о", "c": "с", "p": "р", "i": "і"}
            return "".join(table.get(c, c) if r.random() < 0.3 else c for c in text)
        if roll < 0.5:
            table = {"a": "4", "e": "3", "o": "0", "i": "1", "s": "5", "t": "7"}
            return "".join(table.get(c.lower(), c) if r.random() < 0.35 else c for c in text)
        if roll < 0.6:
            return re.sub(r"\w{4,}", lambda m: r.choice([" ", "-", ".", "_"]).join(m[0]) if r.random() < 0.3 else m[0], text)
        if roll < 0.65 and len(text) < 160:
            return base64.b64encode(text.encode()).decode()
        if roll < 0.7:
            return text[::-1]
        words = text.split(" ")
        for _ in range(max(1, len(words) // 12)):
            i = r.randrange(len(words))
            w = words[i]
            if len(w) > 3:
                j = r.randrange(len(w) - 1)
                words[i] = r.choice([w[:j] + w[j + 1] + w[j] + w[j + 2 :], w[:j] + w[j + 1 :], w[: j + 1] + w[j] + w[j + 1 :]])
        return " ".join(words)

    def add(self, parts, label, channel, source, weight=1.0, span=None, pair=None):
        """`span`: the part that is the attack; None: the attack may be anywhere."""
        if self.r.random() < 0.05:
            parts = [self.disguised(p) if i == (span if span is not None else 0) else p for i, p in enumerate(parts)]
        if self.r.random() < 0.12:
            channel = "unknown"
        self.out.append((parts, label, channel, source, weight, span, pair))

    def composed(self, n):
        r = self.r
        for _ in range(n):
            x = self.injected()
            a, m, b, ch = self.placed(x)
            self.add([a, m, b], ATTACK["injection"], ch, "made_injection", 0.45, span=1)
            # The same place, or another one of the same kind, with something innocent inside.
            y = self.quoted() if r.random() < 0.12 else self.harmless()
            a, m, b, ch = self.placed(y) if r.random() < 0.5 else (a, json.dumps(y, ensure_ascii=False)[1:-1], b, ch)
            self.add([a, m, b], BENIGN, ch, "made_harmless", 0.5)

    def user_turns(self, n):
        """The user's own words: a goal without an attack frame is a wish; a pasted text may carry an attack."""
        r = self.r
        leads = ["summarise this:", "Summarize the following email.", "What does this page say?", "translate into German:", "fasse zusammen:", "please check the text below for errors", "Resume este texto:", "answer the question from the context", "写一个摘要：", "classify the sentiment:", "Extract the names from this record", "is this mail important?", ""]
        for _ in range(n):
            roll = r.random()
            if roll < 0.35:
                if r.random() < 0.4:
                    g = filled(r, r.choice(phrases.LANGS[self.lang()][4]))
                else:
                    g = filled(r, r.choice(phrases.TRIGGERED))
                if r.random() < 0.25:
                    g += r.choice([" ", "\n\n"]) + self.fill(30)
                self.add([capital(r, g)], BENIGN, "user", "made_triggered", 0.8)
            elif roll < 0.5:
                self.add([capital(r, self.plain_goal()) + r.choice([".", "", "!", " please"])], BENIGN, "user", "made_wish", 0.6)
            elif roll < 0.75:
                bad = r.random() < 0.5
                x = self.injected() if bad else self.harmless()
                a, m, b, _ = self.placed(x)
                self.add([r.choice(leads) + r.choice(["\n\n", "\n", " "]) + a, m, b], ATTACK["injection"] if bad else BENIGN, "user", "made_pasted", 0.6, span=1 if bad else None)
            elif roll < 0.9:
                ask = r.choice(self.asks)
                lang = self.lang()
                over = r.choice(phrases.LANGS[lang][0][:2]) + " " + filled(r, r.choice(phrases.LANGS[lang][1])) if r.random() < 0.4 else f"{r.choice(phrases.OPENERS[:10])} {self.plain_goal()}"
                parts = [ask + r.choice([" ", "\n", "\n\n", "\n---\n"]), capital(r, over) + r.choice([".", "", "!"]), ""] if r.random() < 0.6 else ["", capital(r, over) + r.choice([". ", "\n", "! "]), ask if r.random() < 0.5 else ""]
                self.add(parts, ATTACK["injection"], "user", "made_hijack", 0.7, span=1)
            else:
                # The same length and shape without a hijack.
                self.add([r.choice(self.asks) + r.choice([" ", "\n", "\n\n"]) + capital(r, filled(r, r.choice(phrases.TRIGGERED)))], BENIGN, "user", "made_triggered", 0.7)

    def plain_goal(self):
        # Goals that would be extraction in a user's mouth stand at the list's end, and there are six.
        r = self.r
        return filled(r, r.choice(phrases.GOALS[:-6]))

    def extraction(self, n):
        r = self.r
        lead = ["", "", "", "hi! ", "quick question: ", "for debugging, ", "I'm writing documentation. ", "before we start, ", "please ", "thanks for the help. now "]
        for _ in range(n):
            g = filled(r, r.choice(phrases.LANGS[self.lang()][3] if r.random() < 0.4 else phrases.EXTRACT))
            before = r.choice(self.asks) + r.choice([" ", "\n"]) if r.random() < 0.25 else r.choice(lead)
            self.add([before, g + r.choice(["", ".", "?", " please", " now"]), ""], ATTACK["extraction"], "user", "made_extraction", 0.6, span=1)

    def of_something(self, n):
        """Extraction's verbs, the user's own things: repeat, translate, list, print, rules, instructions of something else."""
        r = self.r
        verbs = "repeat|show me|print|translate into {lang}|summarise|list|write down|quote|copy|read out|explain|number|convert to JSON|render as a table|rewrite|continue|spell|give me|what are|describe".split("|")
        things = "the instructions for {product}|the rules of the game we talked about|the first paragraph of my text|the text below|the words I sent you|the settings of my {product}|the configuration file I pasted|the guidelines of the city of {city}|the steps of the recipe above|the terms of {company}|the prompt I wrote for the image|the beginning of my letter|the rules of my club|the tools a gardener needs|the system requirements of {product}|the hidden files on my disk|the contents of the parcel {id}|the policy on returns of {company}|the message from {name}|your last answer|your three suggestions|the last sentence, please|the directives of the EU on {product}|the persona of my novel's hero|the context of the quotation|the secret of good bread|the documents needed for a visa to {country}|the questions you just asked me|the initial offer of {company}|everything that belongs into a first-aid kit".split("|")
        tails = ["", ".", "?", " please", ", in {lang}", ", word for word", ", in a code block", ", as bullet points", " and nothing else", ", without comments", ": \"be kind\""]
        for _ in range(n):
            self.add([capital(r, filled(r, f"{r.choice(verbs)} {r.choice(things)}{r.choice(tails)}"))], BENIGN, "user", "made_of_something", 0.6)

    def jailbreaks(self, n):
        r = self.r
        for _ in range(n):
            w = r.choice(phrases.WRAPS)
            if r.random() < 0.3:
                w = r.choice(phrases.WRAPS).replace("{x}", "").strip() + " " + w
            x = r.choice(self.harmful)
            self.add([capital(r, filled(r, w, x=x))], ATTACK["jailbreak"], "user", "made_jailbreak", 0.6)
            y = r.choice(self.asks)
            # Frames that lift rules are attacks whatever they ask for; the others are games when the wish is innocent.
            if not re.search(r"never says no|morals|filters|freed|guidelines|conscience|hold|refus|comply|policy|fall behind", w):
                self.add([capital(r, filled(r, w, x=y))], BENIGN, "user", "made_game", 0.7)

    def personas(self, n):
        r = self.r
        for _ in range(n):
            for bank, label, source in ((phrases.BAD, ATTACK["jailbreak"], "made_persona"), (phrases.GAME, BENIGN, "made_role")):
                word, name = r.choice(phrases.SLOTS["word"]).title() if r.random() < 0.5 else "".join(r.choice("ABDEGKLMNORSTUVX") for _ in range(r.randint(3, 6))), r.choice(phrases.SLOTS["name"])
                parts = [x for i, b in enumerate(bank) for x in r.sample(b, 1 if i in (0, 4) else r.randint(1, 3))]
                if r.random() < 0.3:
                    head, rest = parts[0], parts[1:]
                    r.shuffle(rest)
                    parts = [head] + rest
                parts = [filled(r, x, word=word, name=name) for x in parts if x]
                if r.random() < 0.7:
                    parts.append(r.choice(["", "My first question: ", "Question: ", "Now: ", "\n\n"]) + (r.choice(self.harmful) if label[0] and r.random() < 0.6 else r.choice(self.asks)))
                self.add([r.choice([" ", " ", "\n", "\n\n"]).join(parts)], label, "user", source, 0.6)

    def rows(self, rows):
        r = self.r
        for x in rows:
            if x["weight"] == 0:
                continue
            label = BENIGN if x["label"] in ("benign", "harmful_request") else ATTACK[x["label"]]
            if x["source"] == "hinglish" and label[0]:
                label = (1, 255, 255, 255)
            if x["id"] in self.span:
                lo, hi = self.span[x["id"]]
                t = x["text"]
                self.add([t[:lo], t[lo:hi], t[hi:]], label, x["channel"], x["source"], x["weight"], span=1, pair=x.get("pair"))
            else:
                self.add([x["text"]], label, x["channel"], x["source"], x["weight"], pair=x.get("pair"))
        for x in self.corpus:
            # Again with typing errors or on another channel; attacks of one line also inside a host, their twins likewise.
            label = BENIGN if x["label"] == "benign" else ATTACK[x["label"]]
            t = x["text"]
            if r.random() < 0.5:
                self.add([self.disguised(t)], label, x["channel"], x["source"], 0.5, pair=x["pair"])
            if x["channel"] in ("document", "email", "tool_result", "code"):
                ch = r.choice(["document", "email", "tool_result"])
                host = r.choice(self.hosts[ch])
                at = r.randint(0, max(0, len(host) - 500))
                cut = host[at : at + r.randint(60, 500)]
                gap = r.choice(["\n", "\n\n", "\n---\n"])
                lo, hi = self.span.get(x["id"], (0, len(t)))
                a, b = (cut + gap, "") if r.random() < 0.5 else ("", gap + cut)
                self.add([a + t[:lo], t[lo:hi], t[hi:] + b], label, r.choice([x["channel"], ch, "unknown"]), x["source"], 0.7, span=1 if label[0] else None, pair=x["pair"])


class Store:
    def __init__(self):
        self.tokens, self.length, self.label, self.weight, self.source, self.bag, self.pair = [], [], [], [], [], [], []
        self.names, self.bags = {}, 0

    def put(self, ids, label, weight, source, bag, pair=-1):
        self.tokens.append(ids)
        self.length.append(len(ids))
        self.label.append(label)
        self.weight.append(weight)
        self.source.append(self.names.setdefault(source, len(self.names)))
        self.bag.append(bag)
        self.pair.append(pair)

    def units(self):
        """Windows that stand alone and whole bags, as lists of places."""
        bags = defaultdict(list)
        for i, b in enumerate(self.bag):
            bags[b if b >= 0 else -2 - i].append(i)
        return bags.values()

    def save(self, path, **more):
        np.savez(path, tokens=np.concatenate(self.tokens).astype(np.uint16), length=np.array(self.length, np.uint16), label=np.array(self.label, np.uint8), weight=np.array(self.weight, np.float32), source=np.array(self.source, np.uint16), bag=np.array(self.bag, np.int32), pair=np.array(self.pair, np.int32), names=np.array(json.dumps({v: k for k, v in self.names.items()})), **more)
        c = Counter()
        for s, l in zip(self.source, self.label):
            c[(next(k for k, v in self.names.items() if v == s) if False else s, int(l[0]))] += 1
        names = {v: k for k, v in self.names.items()}
        print(len(self.length), "windows", sum(self.length), "tokens; by source (benign, attack):")
        for s in sorted(names):
            print(f"  {names[s]:32} {c[(s, 0)]:7} {c[(s, 1)]:7}")


def merged(stores):
    """What several seeds made: a window that all of them have stands once, one that a single seed has weighs as much less."""
    out, known = Store(), {}
    for n, s in enumerate(stores):
        names = {v: k for k, v in s.names.items()}
        for unit in s.units():
            first = unit[0]
            key = (names[s.source[first]], s.label[first], s.bag[first] >= 0, b"|".join(bytes(s.tokens[i].astype(np.uint16)) for i in unit))
            if key in known:
                for i, j in zip(unit, known[key]):
                    out.weight[j] += s.weight[i] / len(stores)
                continue
            known[key] = range(len(out.length), len(out.length) + len(unit))
            out.bags += s.bag[first] >= 0
            for i in unit:
                out.put(s.tokens[i], s.label[i], s.weight[i] / len(stores), names[s.source[i]], out.bags if s.bag[i] >= 0 else -1, s.pair[i] * len(stores) + n if s.pair[i] >= 0 else -1)
    return out


def windows_of(pieces, made, rng, store):
    texts = ["".join(m[0])[:40000] for m in made]
    pairs = {}
    for at in range(0, len(made), 4000):
        got, norm = pieces.ids(texts[at : at + 4000])
        for (ids, offs), text, (parts, label, channel, source, weight, span, pair) in zip(got, norm, made[at : at + 4000]):
            if not len(ids):
                continue
            spans = cuts(len(ids))
            p = pairs.setdefault(pair, len(pairs)) if pair else -1
            if label[0] == 0 or len(spans) == 1:
                keep = spans if len(spans) <= 3 else rng.sample(spans, 4 if len(spans) < 30 else 6)
                for b, e in keep:
                    store.put(window(ids[b:e], channel), label, weight if len(keep) == 1 else weight * 0.7, source, -1, p if len(spans) == 1 else -1)
            elif span is None:
                store.bags += 1
                keep = spans if len(spans) <= 5 else sorted(rng.sample(spans, 5))
                for b, e in keep:
                    store.put(window(ids[b:e], channel), label, weight, source, store.bags)
            else:
                before = "".join(parts[:span])
                lo = len(normalise(before + "x")) - 1
                hi = lo + max(1, len(normalise(parts[span])))
                inside = [i for i, (b, e) in enumerate(offs) if e > lo and b < hi]
                if not inside:
                    continue
                first, last = inside[0], inside[-1] + 1
                good, none = [], []
                for b, e in spans:
                    n = min(e, last) - max(b, first)
                    if n >= 0.6 * (last - first) or n >= 60:
                        good.append((b, e))
                    elif n <= 0:
                        none.append((b, e))
                if good:
                    b, e = rng.choice(good)
                    store.put(window(ids[b:e], channel), label, weight, source, -1, p)
                if none and rng.random() < 0.5:
                    b, e = rng.choice(none)
                    store.put(window(ids[b:e], channel), BENIGN, weight * 0.7, source + "_rest", -1)


def made(rows, pieces, seed, scale):
    rng, store = random.Random(seed), Store()
    m = Maker(rows, rng)
    m.rows([r for r in rows if not r.get("held")])
    n = int(9000 * scale)
    m.composed(n * 2)
    m.user_turns(n)
    m.extraction(n // 3)
    m.of_something(n // 4)
    m.jailbreaks(n // 4)
    m.personas(n // 4)
    rng.shuffle(m.out)
    windows_of(pieces, m.out, rng, store)
    return store


def main():
    a = argparse.ArgumentParser()
    a.add_argument("--rows")
    a.add_argument("--dev")
    a.add_argument("--pieces", required=True)
    a.add_argument("--out", required=True)
    a.add_argument("--scale", type=float, default=1.0)
    a.add_argument("--seed", type=int, nargs="+", default=[SEED], help="of the compositions: another one gives others, several give all of theirs")
    a = a.parse_args()
    pieces = Pieces.load(a.pieces)
    if a.dev:
        store = Store()
        rows = [json.loads(l) for f in sorted(Path(a.dev).glob("*.jsonl")) for l in open(f, encoding="utf-8")]
        row = []
        got, _ = pieces.ids([r["text"] for r in rows])
        for i, ((ids, _), r) in enumerate(zip(got, rows)):
            label = ATTACK.get(r["label"], BENIGN) if r["label"] != "harmful_request" else (255, 255, 255, 255)
            for b, e in cuts(len(ids)):
                store.put(window(ids[b:e], r["channel"]), label, 1.0, r["source"] if "source" in r else "?", -1)
                row.append(i)
        store.save(a.out, row=np.array(row, np.int32), channel=np.array(json.dumps([r["channel"] for r in rows])), id=np.array(json.dumps([r["id"] for r in rows])))
        return
    rows = [json.loads(l) for l in open(a.rows, encoding="utf-8")]
    merged([made(rows, pieces, seed, a.scale) for seed in a.seed]).save(a.out)
    held = [r for r in rows if r.get("held")]
    if held:
        s = Store()
        got, _ = pieces.ids([r["text"] for r in held])
        row = []
        for i, ((ids, _), r) in enumerate(zip(got, held)):
            for b, e in cuts(len(ids)):
                s.put(window(ids[b:e], r["channel"]), ATTACK.get(r["label"], BENIGN), 1.0, r["source"], -1)
                row.append(i)
        s.save(str(a.out) + "-held", row=np.array(row, np.int32), channel=np.array(json.dumps([r["channel"] for r in held])), id=np.array(json.dumps([r["id"] for r in held])))


if __name__ == "__main__":
    main()

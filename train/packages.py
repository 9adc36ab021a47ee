"""Harmless text of many kinds, in passages: what lies in published packages, documentation, code, configuration, records.

    python packages.py --pin packages.txt NAME...          # newest versions of packages under a permissive licence, into the list
    python packages.py --list packages.txt --cache FOLDER --out work/packages.jsonl

Source archives come from PyPI and are held to the list's digests. The texts serve to train (hosts for compositions, harmless windows that the
classifier takes for attacks); none of them is kept in this repository.
"""
import argparse
import hashlib
import io
import json
import random
import re
import tarfile
import urllib.request
import zipfile
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

SEED = 11
PERMISSIVE = re.compile(r"\b(?:MIT|Apache|BSD|ISC|PSF|Python Software|Zope|Unlicense|CC0)", re.I)
OTHER = re.compile(r"\b(?:A?GPL|LGPL|MPL|Mozilla|proprietary|commercial)\b", re.I)
CHANNEL = {
    **dict.fromkeys((".md", ".rst", ".txt", ".adoc", ".html", ".htm", ".po", ".mdx"), "document"),
    **dict.fromkeys((".json", ".jsonl", ".yaml", ".yml", ".csv", ".tsv", ".xml", ".log", ".toml", ".ini"), "tool_result"),
    **dict.fromkeys((".py", ".pyi", ".js", ".ts", ".tsx", ".go", ".rs", ".java", ".rb", ".sh", ".sql", ".ipynb", ".jinja2", ".j2"), "code"),
    ".eml": "email",
}
LONG, SHORT, EACH = 1100, 160, 500  # letters of a passage at most and at least; passages of a package and kind
UGLY = re.compile(r"[A-Za-z0-9+/=]{120,}|(?:\d+[,\s.]+){40,}|(?:\\x[0-9a-f]{2}){8,}|(?:\\u[0-9a-f]{4}){20,}")


def ask(url):
    with urllib.request.urlopen(url, timeout=60) as r:
        return r.read()


def newest(name):
    try:
        d = json.loads(ask(f"https://pypi.org/pypi/{name}/json"))
    except OSError as e:
        return name, None, str(e)
    info = d["info"]
    said = " ".join([info.get("license_expression") or "", (info.get("license") or "")[:200], *(c for c in info.get("classifiers") or [] if c.startswith("License"))])
    files = [f for f in d["urls"] if f["packagetype"] == "sdist"] or [f for f in d["urls"] if f["packagetype"] == "bdist_wheel"]
    if not PERMISSIVE.search(said) or OTHER.search(said) or not files:
        return name, None, f"licence {said[:80]!r}, {len(files)} files"
    f = files[0]
    licence = PERMISSIVE.search(said).group(0)
    return name, f"{name} {info['version']} {licence.split()[0]} {f['digests']['sha256']} {f['url'].replace('../../packages/', 'https://files.pythonhosted.org/')}", None


def members(name, data):
    if name.endswith((".whl", ".zip")):
        z = zipfile.ZipFile(io.BytesIO(data))
        for i in z.infolist():
            if i.file_size < 400_000:
                yield i.filename, lambda i=i: z.read(i)
    else:
        with tarfile.open(fileobj=io.BytesIO(data), mode="r:*") as t:
            for i in t:
                if i.isfile() and i.size < 400_000:
                    yield i.name, lambda i=i: t.extractfile(i).read()


def passages(text, rng):
    """Runs of whole lines; where a file is one long line, cut at blanks."""
    lines = [p for l in text.split("\n") for p in (re.findall(r".{1,700}(?:\s|$)|.{700}", l) if len(l) > 700 else [l])]
    out, at = [], ""
    goal = rng.randint(SHORT, LONG)
    for l in lines:
        if len(at) + len(l) + 1 > goal and len(at) >= SHORT:
            out.append(at)
            at, goal = "", rng.randint(SHORT, LONG)
        at = (at + "\n" + l if at else l)[: LONG + 700]
    if len(at) >= SHORT:
        out.append(at)
    return [p.strip("\n")[:LONG] for p in out]


def of_package(line, cache):
    name, version, licence, digest, url = line.split()
    kept = cache / url.rsplit("/", 1)[1]
    if not kept.exists():
        kept.write_bytes(ask(url))
    data = kept.read_bytes()
    if hashlib.sha256(data).hexdigest() != digest:
        raise SystemExit(f"{kept} is not what the list names")
    rng, by = random.Random(f"{SEED}{name}"), {}
    for path, read in members(url, data):
        channel = CHANNEL.get(Path(path).suffix.lower())
        if not channel or re.search(r"(?:^|/)(?:LICEN[CS]E|NOTICE|.*lock\.json|package-lock)", path):
            continue
        try:
            text = read().decode("utf-8")
        except UnicodeDecodeError:
            continue
        by.setdefault(channel, []).extend((path, p) for p in passages(text, rng))
    out = []
    for channel, got in sorted(by.items()):
        got = [(path, p) for path, p in got if len(re.findall(r"\w", p)) > 0.4 * len(p) and not UGLY.search(p)]
        for n, (path, p) in enumerate(rng.sample(got, min(EACH, len(got)))):
            # A page is read through a tool as often as it is handed over.
            ch = "tool_result" if channel == "document" and rng.random() < 0.3 else channel
            out.append(dict(id=f"pkg-{name}-{channel}-{n}", text=p, label="benign", channel=ch, lang="en", source="pkg_" + name, license=licence, note=path))
    return out


def main():
    a = argparse.ArgumentParser()
    a.add_argument("--pin", type=Path)
    a.add_argument("--list", type=Path)
    a.add_argument("--cache", type=Path)
    a.add_argument("--out", type=Path)
    a.add_argument("names", nargs="*")
    a = a.parse_args()
    with ThreadPoolExecutor(8) as ex:
        if a.pin:
            got = list(ex.map(newest, a.names))
            a.pin.write_text("".join(f"{l}\n" for _, l, _ in sorted(got) if l))
            print([f"{n}: {why}" for n, l, why in got if not l])
            return
        a.cache.mkdir(parents=True, exist_ok=True)
        rows = [r for rs in ex.map(lambda l: of_package(l, a.cache), a.list.read_text().splitlines()) for r in rs]
    seen, kept = set(), []
    for r in rows:
        key = re.sub(r"\W+", " ", r["text"].lower())[:160]
        if key not in seen:
            seen.add(key)
            kept.append(r)
    with open(a.out, "w", encoding="utf-8") as f:
        f.writelines(json.dumps(r, ensure_ascii=False) + "\n" for r in kept)
    print(len(rows), "passages,", len(kept), "unlike each other,", sum(len(r["text"]) for r in kept) >> 10, "KiB", Counter(r["channel"] for r in kept))


if __name__ == "__main__":
    main()

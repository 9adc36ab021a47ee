"""What the classifier reads: normalisation, pieces, windows. FORMAT.md tells the same in words.

The runtime does this in Rust; whatever changes here changes there, and `parity.json` shows whether it did.
"""
import re
import unicodedata

import numpy as np

# Position 0 of every window. The runtime has more channels than training data: see CHANNELS.
SPECIALS = ["<unk>", "</s>", "<ch:unknown>", "<ch:user>", "<ch:system>", "<ch:document>", "<ch:tool_result>", "<ch:email>", "<ch:code>"]
UNK, EOS = 0, 1
CHANNELS = {name[4:-1]: i for i, name in enumerate(SPECIALS) if name.startswith("<ch:")}

WINDOW = 128  # tokens of a window, channel and </s> included
BODY = WINDOW - 2
STRIDE = 96  # so neighbouring windows share 30 pieces

# Letters that carry nothing for a reader but change the pieces: removed.
DROPPED = (
    [chr(c) for c in range(0x00, 0x20) if chr(c) not in "\t\n\v\f\r"]
    + [chr(c) for c in range(0x7F, 0xA0) if c != 0x85]
    + [chr(c) for c in (0xAD, 0x34F, 0x61C, 0x115F, 0x1160, 0x17B4, 0x17B5, 0x180E, 0x3164, 0xFEFF, 0xFFA0, 0xFFFC)]
    + [chr(c) for c in range(0x200B, 0x2010)]
    + [chr(c) for c in range(0x202A, 0x202F)]
    + [chr(c) for c in range(0x2060, 0x2070)]
    + [chr(c) for c in range(0xFE00, 0xFE10)]
)
SPACES = [chr(c) for c in (0x09, 0x0A, 0x0B, 0x0C, 0x0D, 0x20, 0x85, 0xA0, 0x1680, *range(0x2000, 0x200B), 0x2028, 0x2029, 0x202F, 0x205F, 0x3000, 0x2581)]
TABLE = {ord(c): None for c in DROPPED} | {ord(c): " " for c in SPACES}
RUN = re.compile(r"([^ ])\1{4,}")
BLANKS = re.compile(r" +")


def lower(text: str) -> str:
    # Letter by letter: without the rule for a final sigma no context is needed.
    return text.lower() if text.isascii() else "".join(map(str.lower, text))


def normalise(text: str) -> str:
    if not text.isascii():
        text = unicodedata.normalize("NFKC", text)
    text = lower(text.translate(TABLE))
    text = RUN.sub(lambda m: m.group(1) * 4, text)
    return BLANKS.sub(" ", text).strip(" ")


class Pieces:
    """A unigram tokenizer over `vocab`: a list of (piece, log-probability); the first ones are SPECIALS."""

    def __init__(self, vocab):
        from tokenizers import Tokenizer, models, pre_tokenizers

        self.vocab = vocab
        # No text may spell a special piece: behind a letter that normalisation drops it cannot be met.
        hidden = [("\u200b" + p if i < len(SPECIALS) else p, float(s)) for i, (p, s) in enumerate(vocab)]
        self.fast = Tokenizer(models.Unigram(hidden, unk_id=UNK, byte_fallback=False))
        self.fast.pre_tokenizer = pre_tokenizers.Metaspace(replacement="▁", prepend_scheme="always", split=True)

    @staticmethod
    def load(path):
        import json

        return Pieces([tuple(x) for x in json.load(open(path, encoding="utf-8"))["pieces"]])

    def ids(self, texts):
        """Ids and where each begins and ends in the normalised text."""
        norm = [normalise(t) for t in texts]
        return [(np.array(e.ids, dtype=np.int32), e.offsets) for e in self.fast.encode_batch(norm, add_special_tokens=False)], norm


def cuts(n: int):
    """Begin and end of the windows over n pieces; the last one is as long as the others."""
    if n <= BODY:
        return [(0, n)]
    begins = list(range(0, n - BODY, STRIDE)) + [n - BODY]
    return [(b, b + BODY) for b in begins]


def window(ids, channel: str):
    return np.concatenate([[CHANNELS.get(channel, CHANNELS["unknown"])], ids, [EOS]]).astype(np.uint16)

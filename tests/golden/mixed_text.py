"""The text on which our tokenizer and Hugging Face's are compared: code, prose, scripts, emoji, odd white space, digits.

tests/common/text/mixed_text.cpp writes the same bytes from the same seeds and the same fragments, so that the text
itself need not be committed.
"""

import json
from pathlib import Path

CHUNKS = 64
CHUNK_BYTES = 84_000
FRAGMENTS = json.loads((Path(__file__).parent / "tokenizer" / "fragments.json").read_text(encoding="utf-8"))
MASK = (1 << 64) - 1


class SplitMix64:
    """common/vocabulary/random.h."""

    def __init__(self, seed: int):
        self.state = seed

    def next(self) -> int:
        self.state = (self.state + 0x9E3779B97F4A7C15) & MASK
        z = self.state
        z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & MASK
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & MASK
        return z ^ (z >> 31)

    def below(self, bound: int) -> int:
        reject_below = ((1 << 64) - bound) % bound
        while True:
            draw = self.next()
            if draw >= reject_below:
                return draw % bound

    def pick(self, items: list):
        return items[self.below(len(items))]


def words(chance: SplitMix64) -> str:
    text = ""
    for i in range(1 + chance.below(12)):
        word = chance.pick(FRAGMENTS["words"])
        form = chance.below(10)
        if form == 0:
            word = "".join(c.upper() if "a" <= c <= "z" else c for c in word)
        elif form == 1 and "a" <= word[0] <= "z":
            word = word[0].upper() + word[1:]
        text += (" " if i else "") + word
    return text + chance.pick([".", ",", "!", "?", ":", ";", ".\n", ""])


def code_points(chance: SplitMix64, ranges: list, most: int) -> str:
    low, high = chance.pick(ranges)
    return "".join(chr(low + chance.below(high - low + 1)) for _ in range(1 + chance.below(most)))


def fragment(chance: SplitMix64) -> str:
    kind = chance.below(20)
    if kind < 7:
        return words(chance)
    if kind < 11:
        return chance.pick(FRAGMENTS["code"]) + "\n"
    if kind < 13:
        return code_points(chance, FRAGMENTS["scripts"], 20)
    if kind < 15:
        return "".join(chance.pick(FRAGMENTS["spaces"]) for _ in range(1 + chance.below(4)))
    if kind < 17:
        return code_points(chance, FRAGMENTS["digits"], 9)
    return chance.pick(FRAGMENTS["odd"])


def chunk(number: int) -> str:
    chance = SplitMix64(number + 1)
    parts, size = [], 0
    while size < CHUNK_BYTES:
        part = fragment(chance) + (" " if chance.below(2) else "")
        parts.append(part)
        size += len(part.encode())
    return "".join(parts)

"""Conf files that people wrote, with some bytes, letters and lines changed."""

import random

from generate import MAIN, case
from words import PIECES


def mutant(seed, number, folder, originals):
    """One of `originals`, or a generated case, changed in its main file."""
    rng = random.Random(f"mutant/{seed}/{number}")
    files = {MAIN: part(rng, rng.choice(originals))} if rng.random() < 0.6 else case(seed, number, folder)
    data = files.get(MAIN, b"")
    for _ in range(rng.choice([1, 1, 2, 3, 6])):
        data = rng.choice(CHANGES)(rng, data)
    return {**files, MAIN: data}


def part(rng, data):
    """Some of its lines in a row, so that long comments do not hide the rest."""
    lines = [line for line in data.splitlines(keepends=True) if not line.startswith(b"#") or rng.random() < 0.3]
    if rng.random() < 0.4:
        return b"".join(lines)
    begin = rng.randrange(len(lines) or 1)
    return b"".join(lines[begin : begin + rng.choice([5, 20, 60])])


def in_text(change):
    """A change of letters; what is no text any more is left alone."""

    def changed(rng, data):
        try:
            text = data.decode()
        except UnicodeDecodeError:
            return data
        return change(rng, text).encode()

    return changed


def of_lines(change):
    def changed(rng, data):
        lines = data.split(b"\n")
        change(rng, lines, rng.randrange(len(lines)))
        return b"\n".join(lines)

    return changed


def insert(rng, text):
    at = rng.randrange(len(text) + 1)
    return text[:at] + rng.choice(PIECES) + text[at:]


def replace(rng, text):
    at = rng.randrange(len(text) + 1)
    return text[:at] + rng.choice(PIECES) + text[at + 1 :]


def delete(rng, text):
    at = rng.randrange(len(text) + 1)
    return text[:at] + text[at + rng.choice([1, 1, 3]) :]


def swap_case(rng, text):
    at = rng.randrange(len(text) + 1)
    return text[:at] + text[at : at + 20].swapcase() + text[at + 20 :]


def any_byte(rng, data):
    at = rng.randrange(len(data) + 1)
    return data[:at] + bytes([rng.randrange(256)]) + data[at + 1 :]


def cut(rng, data):
    return data[: rng.randrange(len(data) + 1)]


def double(rng, lines, at):
    lines.insert(rng.randrange(len(lines)), lines[at])


def remove(rng, lines, at):
    del lines[at]


def join(rng, lines, at):
    lines[at : at + 2] = [rng.choice([b" ", b"\r", b""]).join(lines[at : at + 2])]


def uncomment(rng, lines, at):
    """From here on, for people do that too; the prose between becomes keys."""
    for here in range(at, min(at + rng.choice([1, 5, 30]), len(lines))):
        lines[here] = lines[here].lstrip().removeprefix(b"#")


CHANGES = [
    *map(in_text, [insert, insert, replace, delete, swap_case]),
    any_byte,
    cut,
    *map(of_lines, [double, remove, join, uncomment, uncomment]),
]

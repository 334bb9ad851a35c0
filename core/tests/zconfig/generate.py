"""Conf files by the grammar, mostly good, with what is wrong put in here and there.

A case is decided by its seed and its number alone.
"""

import random

from words import (
    BAD_BYTES,
    BLANKS,
    COMPONENTS,
    DEFINES,
    KEYS,
    NAMES,
    NO_BLANKS,
    REFERENCES,
    REMOTE,
    SLASHED,
    TEXTS,
    TYPES,
    WRONG,
)

# How the name of a file stands in an `%include`, beside the name as it is on the disk.
PARTS = [
    ("part.conf", ["part.conf", "./part.conf", "sub/../part.conf", "%70art.conf", "part.conf#", "part.conf?", "$(PART).conf"]),
    ("sub/part.conf", ["sub/part.conf", "sub//part.conf", "./sub/./part.conf", "sub/none/../part.conf", "sub%2Fpart.conf"]),
    ("a b.conf", ["a b.conf", "a%20b.conf", "a b.conf\t", "a b.conf #"]),
    ("日本.conf", ["日本.conf", "%E6%97%A5%E6%9C%AC.conf", "%e6%97%a5本.conf"]),
    ("100%.conf", ["100%.conf", "100%25.conf"]),
    ("a#b.conf", ["a%23b.conf"]),
    ("a?b.conf", ["a?b.conf", "a%3Fb.conf"]),
    ("\ufffd.conf", ["%ff.conf", "%C3.conf"]),
    ("sub/deep/part.conf", ["sub/deep/part.conf", "sub/deep/../deep/part.conf", "sub/deep/%2e%2e/deep/part.conf"]),
    ("café é.conf", ["café é.conf", "caf%C3%A9 é.conf"]),
]  # fmt: skip
MAIN = "zope.conf"

# How often each stands in a section, by their sum.
KINDS = {"key": 10, "section": 4, "empty": 2, "define": 3, "comment": 2, "blank": 1, "include": 1.5, "import": 0.4}


def case(seed, number, folder):
    """The files of a case: their names below `folder`, and their bytes."""
    return Maker(random.Random(f"{seed}/{number}"), folder).files()


class Maker:
    def __init__(self, rng, folder):
        self.rng, self.folder = rng, folder
        self.made = {}
        self.defined = {}
        # What is wrong, if anything, stands at one or two places of all that is written.
        self.wrong = rng.choice([0, 0, 0, 1, 1, 1, 2])

    def files(self):
        self.write(MAIN, 0)
        if self.chance(0.02):
            self.chain()
        if self.chance(0.01):
            self.nest()
        if self.chance(0.002):
            del self.made[MAIN]
        return self.made

    def chance(self, share):
        return self.rng.random() < share

    # ---- files

    def write(self, name, depth):
        """A file that holds for itself; the lines are joined by what ends lines in it."""
        self.made[name] = b""  # it may be included from below
        lines = self.body(name, depth, self.rng.choice([3, 8, 20, 40]) // (depth + 1) + 1)
        self.spoil(lines)
        end = self.rng.choice(["\n"] * 8 + ["\r\n", "\n\n"])
        text = end.join(lines) + self.rng.choice([end] * 4 + ["", "\n \t", "\r"])
        if self.chance(0.02):
            text = "\ufeff" + text
        data = text.encode()
        if self.chance(0.02):
            at = self.rng.randrange(len(data) + 1)
            data = data[:at] + self.rng.choice(BAD_BYTES) + data[at:]
        self.made[name] = data

    def spoil(self, lines):
        while self.wrong and lines and self.chance(0.5):
            self.wrong -= 1
            at = self.rng.randrange(len(lines) + 1)
            match self.rng.randrange(12):
                case 0:
                    del lines[at - 1]
                case 1:
                    lines.insert(at, self.rng.choice(REMOTE))
                case 2:
                    lines.insert(at, self.rng.choice(lines))
                case 3:
                    lines[at:] = []
                    lines.append("<a>")
                case 4:
                    name = self.rng.choice(list(self.defined) or ["x"])
                    lines.insert(at, f"%define {name} another")
                case 5:
                    lines.insert(at, f"%include {self.rng.choice([MAIN, '', '$(EMPTY)', '?', *self.made])}")
                case _:
                    lines.insert(at, self.indented(self.rng.choice(WRONG)))

    def chain(self):
        """Includes in a row, about as many as there may be."""
        length = self.rng.choice([64, 65, 66, 70])
        for at in range(length):
            self.made[f"chain{at}"] = f"%include chain{at + 1}\nk{at} v\n".encode()
        self.made[f"chain{length}"] = b"last v"
        self.made[MAIN] = self.made[MAIN] + b"\n%include chain1\n"

    def nest(self):
        depth = self.rng.choice([50, 200])
        types = [self.rng.choice(TYPES) for _ in range(depth)]
        inside = [f"<{name}>" for name in types] + [f"</{name}>" for name in reversed(types)]
        self.made[MAIN] = self.made[MAIN] + "\n".join(["", *inside, ""]).encode()

    # ---- lines

    def body(self, file, depth, size, sections=0):
        lines = []
        while len(lines) < size:
            lines += self.element(file, depth, size, sections)
        return lines

    def element(self, file, depth, size, sections):
        kind = self.rng.choices(list(KINDS), list(KINDS.values()))[0]
        match kind:
            case "key":
                return [self.indented(self.key())]
            case "section" if sections < 5:
                return self.section(file, depth, size, sections)
            case "empty":
                return [self.indented(f"<{self.header()}{self.blank(0.3)}/>")]
            case "define":
                return [self.indented(self.define())]
            case "comment":
                return [self.indented("#" + self.rng.choice(TEXTS + WRONG))]
            case "include" if depth < 3 and len(self.made) < 12:
                return self.include(file, depth)
            case "import":
                return [self.indented(f"%import{self.blank()}{self.rng.choice(COMPONENTS)}")]
        return ["".join(self.rng.choices(BLANKS, k=self.rng.randrange(4)))]

    def indented(self, line):
        return self.blank(0.6) + line + self.blank(0.15)

    def blank(self, share=1.0):
        """White space; mostly of the ordinary kinds."""
        if not self.chance(share):
            return ""
        return self.rng.choice([" "] * 20 + ["    ", "\t", "\t"] + BLANKS)

    def key(self):
        key = self.rng.choice(KEYS)
        if key[0] in "#<%":
            key = "k" + key
        odd = [key, f"{key}({self.value()})", f"{key})", f"{key}{self.rng.choice(NO_BLANKS)} x"]
        return f"{key}{self.blank()}{self.value()}" if self.chance(0.7) else self.rng.choice(odd)

    def value(self):
        pieces = self.rng.choices([self.text, self.text, self.reference], k=self.rng.choice([1, 1, 2, 4]))
        return self.blank(0.2).join(piece() for piece in pieces)

    def text(self):
        return self.rng.choice(TEXTS)

    def reference(self):
        known = list(self.defined)
        if not known or self.chance(0.3):
            return self.rng.choice(REFERENCES)
        name = self.cased(self.rng.choice(known))
        return self.rng.choice([f"${name}", f"${{{name}}}", f"${name}-", f"${name}é"])

    def cased(self, word):
        return self.rng.choice([word, word, word.upper(), word.lower(), word.swapcase()])

    def define(self):
        name = self.rng.choice(DEFINES)
        value = self.defined.get(name)
        if value is None or self.chance(0.03):
            value = self.rng.choice(["", self.value(), self.text()]).strip()
        if "$" in value and self.chance(0.95):
            # Its text is not what it stands for, so it could not be defined again.
            name = f"fresh{len(self.defined)}"
        self.defined.setdefault(name, value)
        return f"%define{self.blank()}{self.cased(name)}{self.blank()}{value}"

    def header(self):
        name = self.rng.choice(["", *NAMES])
        return self.rng.choice(TYPES) + (name and self.blank() + name)

    def section(self, file, depth, size, sections):
        type_ = self.rng.choice(TYPES)
        name = self.rng.choice(["", *NAMES, *SLASHED])
        head = type_ + (name and self.blank() + name)
        gap = " " if head.endswith("/") and self.chance(0.95) else self.blank(0.1)
        inside = self.body(file, depth, self.rng.randrange(size // 2 + 1), sections + 1)
        # Not each letter comes back from upper case.
        end = self.rng.choice([type_, type_, type_.lower(), type_.upper() if type_.isascii() else type_])
        close = f"</{end}{self.blank(0.1)}>"
        if self.wrong and self.chance(0.03):
            self.wrong -= 1
            strange = self.rng.choice(NO_BLANKS)
            close = self.rng.choice(
                [f"</ {end}>", f"</{end}/>", f"</{end} {name}>", f"</{end}{strange}>", f"</{end}>>"]
            )
        return [self.indented(f"<{head}{gap}>"), *inside, self.indented(close)]

    def include(self, file, depth):
        target, ways = self.rng.choice(PARTS)
        base = file.rpartition("/")[0]
        name = f"{base}/{target}" if base else target
        if name.count("/") > 4:
            return []
        if name not in self.made:
            self.write(name, depth + 1)
        way = absolute(f"{self.folder}/{name}", self.rng) if self.chance(0.15) else self.rng.choice(ways)
        if "$" in way or self.chance(0.9):
            return [self.indented(f"%include{self.blank()}{way}")]
        variable = f"file{len(self.defined)}"
        self.defined[variable] = way
        return [f"%define {variable} {way}", f"%include ${variable}"]


def absolute(path, rng):
    path = path.replace("%", "%25").replace("#", "%23").replace("?", "%3f")
    return rng.choice(["", "file://", "FILE:", "file://localhost"]) + path

"""What the suite has said of each case, and what that is worth."""

from collections import Counter
from dataclasses import dataclass

BEHAVIOURS = ["OK", "NON-STRICT", "INFORMATIONAL", "UNIMPLEMENTED", "FAILED"]
# The suite has no opinion on these, it only says what it saw.
GOOD = {"OK", "INFORMATIONAL"}


def section(case):
    """9 of 9.3.1."""
    return int(case.split(".")[0])


@dataclass(frozen=True)
class Verdicts:
    """Of one path. A case of which the suite says nothing is MISSING."""

    path: object
    behaviours: dict
    closes: dict
    seconds: float
    has_compression: bool

    @classmethod
    def of(cls, path, cases, results, seconds, has_compression):
        said = lambda case, what: results.get(case, {}).get(what, "MISSING")
        return cls(
            path,
            {case: said(case, "behavior") for case in cases},
            {case: said(case, "behaviorClose") for case in cases},
            seconds,
            has_compression,
        )

    def is_left_out(self, case):
        """Compression was neither asked for nor offered."""
        return self.behaviours[case] == "UNIMPLEMENTED" and not self.has_compression

    def is_good(self, case):
        return {self.behaviours[case], self.closes[case]} <= GOOD or self.is_tolerated(case)

    def is_tolerated(self, case):
        """The path says why it cannot be strict here."""
        return self.behaviours[case] == "NON-STRICT" and self.closes[case] == "OK" and self.path.lax

    def left_out(self):
        return [case for case in self.behaviours if self.is_left_out(case)]

    def bad(self):
        return [case for case in self.behaviours if not self.is_good(case) and not self.is_left_out(case)]

    def tolerated(self):
        return [case for case in self.behaviours if self.is_tolerated(case)]

    def informational(self):
        pairs = [(case, self.behaviours[case], self.closes[case]) for case in self.behaviours]
        return [case for case, *both in pairs if "INFORMATIONAL" in both]

    def cell(self, number):
        """A section in a few words."""
        found = [kind for case, kind in self.behaviours.items() if section(case) == number]
        return counted(found, []) or "–"

    def line(self):
        cases = f"{self.path.name}: {len(self.behaviours)} cases"
        kinds, closes = counted(self.behaviours.values()), counted(self.closes.values(), ["OK"])
        return f"{cases}: {kinds}; closes: {closes}; {self.seconds:.0f} s"

    def names(self):
        """A line for each case that is not OK, or not left out for a known reason."""
        lines = [f"  {case} {self.behaviours[case]}, close {self.closes[case]}" for case in self.bad()]
        if self.tolerated():
            lines.append(f"  NON-STRICT, {self.path.lax}: {' '.join(self.tolerated())}")
        if self.informational():
            lines.append(f"  INFORMATIONAL: {' '.join(self.informational())}")
        if self.left_out():
            sections = sorted({section(case) for case in self.left_out()})
            lines.append(f"  UNIMPLEMENTED, as nobody has asked for compression: {', '.join(f'{n}.*' for n in sections)}")
        return lines


def counted(kinds, always=BEHAVIOURS):
    number = Counter(kinds)
    order = always + [kind for kind in [*BEHAVIOURS, *sorted(number)] if kind not in always]
    shown = [kind for kind in dict.fromkeys(order) if number[kind] or kind in always]
    return ", ".join(f"{number[kind]} {kind}" for kind in shown)

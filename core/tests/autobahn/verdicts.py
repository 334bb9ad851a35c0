"""What the suite has said of each case, and what that is worth."""

from collections import Counter
from dataclasses import dataclass, field
from itertools import chain

BEHAVIOURS = ["OK", "NON-STRICT", "INFORMATIONAL", "UNIMPLEMENTED", "FAILED"]
# The suite has no opinion on these, it only says what it saw.
GOOD = {"OK", "INFORMATIONAL"}


def section(case):
    """9 of 9.3.1."""
    return int(case.split(".")[0])


@dataclass
class Verdicts:
    """Of one path. A case of which the suite says nothing is MISSING."""

    path: object
    compression: str
    behaviours: dict = field(default_factory=dict)
    closes: dict = field(default_factory=dict)
    milliseconds: dict = field(default_factory=dict)
    # Of all its parts, which may have run beside each other.
    seconds: float = 0

    def add(self, cases, results, seconds):
        for case in cases:
            said = results.get(case, {})
            self.behaviours[case] = said.get("behavior", "MISSING")
            self.closes[case] = said.get("behaviorClose", "MISSING")
            self.milliseconds[case] = said.get("duration", 0)
        self.seconds += seconds

    def in_order(self, parts):
        """The same, as the suite orders its cases."""
        cases = list(chain.from_iterable(parts))
        ordered = lambda of: {case: of[case] for case in cases}
        behaviours, closes, milliseconds = map(ordered, (self.behaviours, self.closes, self.milliseconds))
        return Verdicts(self.path, self.compression, behaviours, closes, milliseconds, self.seconds)

    def is_left_out(self, case):
        """Compression was neither asked for nor offered."""
        return self.behaviours[case] == "UNIMPLEMENTED" and self.compression == "off"

    def is_good(self, case):
        return {self.behaviours[case], self.closes[case]} <= GOOD

    def left_out(self):
        return [case for case in self.behaviours if self.is_left_out(case)]

    def bad(self):
        return [case for case in self.behaviours if not self.is_good(case) and not self.is_left_out(case)]

    def informational(self):
        pairs = [(case, self.behaviours[case], self.closes[case]) for case in self.behaviours]
        return [case for case, *both in pairs if "INFORMATIONAL" in both]

    def of(self, number):
        """Behaviours and closes of a section."""
        cases = [case for case in self.behaviours if section(case) == number]
        return Counter(map(self.behaviours.get, cases)), Counter(map(self.closes.get, cases))

    def line(self):
        cases = f"{self.path.name}: {len(self.behaviours)} cases"
        kinds, closes = counted(self.behaviours.values()), counted(self.closes.values(), ["OK"])
        return f"{cases}: {kinds}; closes: {closes}; {self.seconds:.0f} s"

    def described(self, case):
        """A case whose name alone does not say it."""
        return f"{case} ({self.behaviours[case]}, close {self.closes[case]})"

    def names(self):
        """What is not OK, or not left out for a known reason."""
        lines = [f"  {self.described(case)}" for case in self.bad()]
        if self.informational():
            lines.append(f"  INFORMATIONAL: {', '.join(map(self.described, self.informational()))}")
        if self.left_out():
            sections = sorted({section(case) for case in self.left_out()})
            lines.append(f"  UNIMPLEMENTED, as nobody has asked for compression: {', '.join(f'{n}.*' for n in sections)}")
        return lines

    def listing(self):
        """A line for each case."""
        for case, behaviour in self.behaviours.items():
            close, milliseconds = self.closes[case], self.milliseconds[case]
            yield f"{self.path.name} {case}: {behaviour}, close {close}, {milliseconds} ms"


def counted(kinds, always=BEHAVIOURS):
    number = Counter(kinds)
    order = always + [kind for kind in [*BEHAVIOURS, *sorted(number)] if kind not in always]
    shown = [kind for kind in dict.fromkeys(order) if number[kind] or kind in always]
    return ", ".join(f"{number[kind]} {kind}" for kind in shown)

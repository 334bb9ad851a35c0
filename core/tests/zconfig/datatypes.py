#!/usr/bin/env python3
"""Compares the datatypes of the conf with those of the real ZConfig, on words that are made for it;
ends with how many agree.

    datatypes.py                      ZConfig says what datatypes.jsonl says: a stage of `make test`
    datatypes.py --seeds 1,2          other words, and whether Switchboard means them so; `make zconfig`
    datatypes.py --words 2000         so many of each datatype
    datatypes.py --write              makes datatypes.jsonl anew

The table is what `core/src/conf/datatype/golden.rs` holds Switchboard against, so that `cargo test`
needs no Python. A line is `[datatype, word, value for ZConfig]`, with null for a word that is refused;
where Switchboard means to differ, `[.., its value, the name of the deviation]` follows.
"""

import argparse
import collections
import json
import os
import subprocess
import sys

import packages
from packages import HERE, PYTHON, ROOT, TARGET

TABLE = HERE / "datatypes.jsonl"
TABLE_SEED, TABLE_WORDS, WORDS_MIN = 0, 600, 500
ENVIRONMENT = dict(os.environ)
GOLDEN = "cargo test --quiet --package switchboard --lib conf::datatype::golden".split()
SHOWN_MAX = 20


def rows(seed, count):
    for datatype in meanings.READERS:
        for word in spellings.words(datatype, seed, count):
            yield row(datatype, word)


def row(datatype, word):
    theirs = meanings.zconfig(datatype, word)
    return [datatype, word, theirs, *(meanings.deviation(datatype, word, theirs) or ())]


def write(table, path):
    path.write_text("".join(json.dumps(row) + "\n" for row in table))


def main(options):
    # These need the environment with ZConfig.
    global meanings, spellings
    import meanings
    import spellings

    if options.write:
        return write(rows(TABLE_SEED, options.words), TABLE)
    failed = checked() if not options.seeds else sum(fresh(seed, options.words) for seed in options.seeds.split(","))
    sys.exit(1 if failed else 0)


def checked():
    """Whether the table in the tree is what ZConfig says; how many lines are not."""
    table = [json.loads(line) for line in TABLE.read_text().splitlines()]
    wrong = [f"{line} should be {now}" for line in table if (now := row(*line[:2])) != line]
    return closed(table, wrong)


def fresh(seed, count):
    """Whether Switchboard means words that nobody has seen as it should; how many it does not."""
    table, path = list(rows(seed, count)), TARGET / f"datatypes-{seed}.jsonl"
    write(table, path)
    golden = subprocess.run(
        GOLDEN, cwd=ROOT, env={**ENVIRONMENT, "DATATYPES": str(path)}, capture_output=True, text=True
    )
    lines = golden.stdout.splitlines() if golden.returncode else []
    wrong = [line for line in lines if ", and should be " in line]
    if golden.returncode and not wrong:
        wrong = [f"{golden.stdout}{golden.stderr}"]
    return closed(table, wrong)


def closed(table, wrong):
    met = collections.Counter(line[4] for line in table if len(line) > 3)
    wrong += [f"deviation {name}: did not occur" for name in meanings.DEVIATIONS if not met[name]]
    for line in wrong[:SHOWN_MAX]:
        print(line)
    words = collections.Counter((line[0], line[2] is not None) for line in table)
    for datatype in meanings.READERS:
        print(f"{words[datatype, True]:6} good and {words[datatype, False]:6} bad words for {datatype}")
    print("how often each deviation made a difference:")
    for name, number in met.most_common():
        print(f"{number:6} {name}: {meanings.DEVIATIONS[name]}")
    print(f"\n{len(table) - min(len(wrong), len(table))} passed, {len(wrong)} failed", flush=True)
    return len(wrong)


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", default="")
    parser.add_argument("--words", type=int, default=TABLE_WORDS)
    parser.add_argument("--write", action="store_true")
    options = parser.parse_args()
    if options.words < WORDS_MIN:
        parser.error(f"fewer than {WORDS_MIN} words do not have everything in them")
    return options


if __name__ == "__main__":
    options = arguments()
    try:
        packages.install()
        if sys.prefix != str(packages.VENV):
            os.execv(PYTHON, [PYTHON, *sys.argv])
        main(options)
    except packages.CannotInstall as error:
        sys.exit(str(error))

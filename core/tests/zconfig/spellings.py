"""Words for each datatype: mostly good ones, as people write them, with something wrong here and there.

A word is decided by its datatype, its seed and its number alone.
"""

import itertools
import random

# What is put into a word that is spoiled: blanks of all kinds, digits and letters of other scripts
# (the last is the sign for Kelvin, whose lower case is an ASCII `k`), and whatever has a meaning.
SPOILERS = [*" \t\u00a0\u2003\u200b\x1c\x1f\x85\0_-+.,:/[]~@*%#eEkKmMgGbBsShHdDwWxX0159", "é", "٣", "１", "²", "\u212a"]
BLANKS = ["", "", "", " ", "  ", "\t", "\u00a0", "\x1c"]

NUMBERS = ["0", "1", "7", "007", "64", "1024", "65535", "65536", "+5", "-5", "-0", "1_000", "٣", "１６", "0x10", "1e3", "1.5"]
NUMBERS += ["", "²", "1__0", "+ 5", "--5", "18446744073709551614", "18446744073709551616", "99999999999999999999999"]
DECIMALS = ["0.5", ".5", "5.", "0.001", "2.5", "1e3", "1E-3", "+.5e1", "1_0.5", "inf", "nan", "-1.5", "-0", "1e99", "1e-9", ".", "e5"]
SIZES = ["KB", "MB", "GB", "kb", "Mb", "gB", "", "B", "K", "M", "TB", "KiB", "k b", "KBs"]
LETTERS = ["s", "m", "h", "d", "w", "S", "M", "H", "D", "W", "ms", "min", ""]
SWITCHES = ["yes", "true", "on", "no", "false", "off"]
MORE_SWITCHES = ["0", "1", "y", "n", "t", "f", "enable", "disabled", "none", ""]
LEVELS = ["critical", "fatal", "error", "warn", "warning", "info", "blather", "debug", "trace", "all", "notset"]
MORE_LEVELS = ["off", "none", "emerg", "notice", "verbose", "err", "crit", ""]
HOSTS = ["localhost", "www.example.org", "WWW.Example.ORG", "a", "ab", "a_b", "3com.example", "a-b.c-d", "-a", "a-", "a..b", ".a", "a.", "a b"]
HOSTS += ["127.0.0.1", "0.0.0.0", "10.1.2.3", "1.2.3", "1.2.3.999", "01.2.3.4", "256.1.1.1", "*", "*.example.org", "*.10.0.0.1"]
HOSTS += ["[::1]", "[::]", "[2001:DB8::1]", "[::ffff:1.2.3.4]", "[fe80::1%eth0]", "[x]", "[]", "[1.2.3.4]", "[localhost]"]
HOSTS += ["::1", "::", "2001:DB8::1", "2001:db8:0:0:0:0:0:1", "::ffff:1.2.3.4", "1:2:3:4:5:6:7:8:9", "fe80::1%eth0", ":::", "bücher.example"]
SOCKETS = ["/run/sb.sock", "var/sb.sock", "./a:1", "../a b", "/", "/run/", "~/a", "~zope/a", "a/~", "unix:/x", "tcp://h:1", "c:/x", "a/b:c", ":/x"]

PATHS = ["/srv/www", "etc/a.pem", "~", "~/", "~//a", "~/a", "~/../a", "./a/./b/", "../a", "a//b", ".", "~root", "~root/a", "~ /a", "./~root"]
PATHS += ["", " ", "\u00a0", "a b", "/", "//a", "a/~", "a\0b"]
PARTS = ["a", "b.c", "", ".", "..", "~", "日本", " x ", "$", "~zope"]


def words(datatype, seed, count):
    """So many different words."""
    rng = random.Random(f"{datatype}/{seed}")
    found = dict.fromkeys(ALWAYS.get(datatype, []))
    while len(found) < count:
        word = MAKERS[datatype](rng)
        found[spoiled(rng, word) if rng.random() < 0.35 else word] = None
    return list(found)


def spoiled(rng, word):
    for _ in range(rng.choice([1, 1, 1, 2, 3])):
        at = rng.randrange(len(word) + 1)
        match rng.randrange(5):
            case 0:
                word = word[:at] + word[at + 1 :]
            case 1:
                word = word[:at] + word[at : at + 1].swapcase() + word[at + 1 :]
            case 2:
                word = word[:at] + word[at : at + 1] + word[at:]
            case 3:
                word = rng.choice([word + rng.choice(BLANKS), rng.choice(BLANKS) + word])
            case _:
                word = word[:at] + rng.choice(SPOILERS) + word[at:]
    return word


def number(rng, most=5000):
    return rng.choice(NUMBERS) if rng.random() < 0.4 else str(rng.randrange(most))


def cased(rng, word):
    return "".join(rng.choice([c.lower(), c.upper()]) for c in word)


def time(rng):
    if rng.random() < 0.4:
        return number(rng) + rng.choice(BLANKS) + rng.choice(LETTERS)
    parts = [duration(rng) for _ in range(rng.choice([1, 1, 2, 2, 3, 5]))]
    return rng.choice([" ", " ", "  ", "\t", "\u2003", ""]).join(parts)


def duration(rng):
    count = rng.choice(DECIMALS) if rng.random() < 0.3 else number(rng, 60)
    return count + rng.choice(LETTERS[:5] if rng.random() < 0.9 else LETTERS)


def port(rng):
    return number(rng, 70_000)


def address(rng):
    match rng.randrange(8):
        case 0:
            return rng.choice(SOCKETS)
        case 1:
            return port(rng)
        case 2:
            return host(rng)
        case _:
            return rng.choice([host(rng), host(rng), host(rng), ""]) + ":" + rng.choice([port(rng), port(rng), ""])


def host(rng):
    match rng.randrange(6):
        case 0:
            return ".".join(str(rng.randrange(260)) for _ in range(rng.choice([4, 4, 4, 3, 5])))
        case 1:
            groups = [f"{rng.randrange(65536):x}" for _ in range(rng.choice([8, 8, 3, 7, 9]))]
            groups[rng.randrange(len(groups))] = rng.choice(["", "0", "00", groups[0], "ffff1"])
            return rng.choice(["{}", "[{}]"]).format(":".join(groups))
        case 2:
            return ".".join(cased(rng, rng.choice(["a", "www", "x1", "9", "e-e", "_a", "k"])) for _ in range(rng.randrange(1, 5)))
        case _:
            return rng.choice(HOSTS)


def path(rng):
    parts = [rng.choice(PARTS) for _ in range(rng.randrange(1, 5))]
    return rng.choice(["", "", "/", "~/", "~"]) + "/".join(parts)


def level(rng):
    if rng.random() < 0.5:
        return cased(rng, rng.choice(LEVELS + MORE_LEVELS))
    return rng.choice([number(rng, 60), str(rng.randrange(-2, 53))])


MAKERS = {
    "boolean": lambda rng: cased(rng, rng.choice(SWITCHES * 2 + MORE_SWITCHES)),
    "integer": lambda rng: rng.choice(BLANKS) + number(rng, 10**9) + rng.choice(BLANKS),
    "byte-size": lambda rng: number(rng) + rng.choice(BLANKS) + rng.choice(SIZES),
    "time": time,
    "port": port,
    "address": address,
    "host": host,
    "path": path,
    "level": level,
}

# Every way to write the words that there are, and what stands above as it is.
ALWAYS = {
    "boolean": [
        "".join(letters) for word in SWITCHES for letters in itertools.product(*((c, c.upper()) for c in word))
    ] + MORE_SWITCHES,
    "integer": NUMBERS,
    "byte-size": [*NUMBERS, *(f"16{blank}{unit}" for unit in SIZES for blank in ["", " "]), "１６KB", "1048576GB", "1048577GB"],
    "time": [*NUMBERS, *(f"5{letter}" for letter in LETTERS), *(f"{count}s" for count in DECIMALS), "36525d", "36526d", "1h 1h", "-5s"],
    "port": [*NUMBERS, "80 ", " 80", "http"],
    "address": [*SOCKETS, *HOSTS, *(f"{host}:80" for host in HOSTS), "::1:8080", *NUMBERS, *(f"h:{port}" for port in NUMBERS)],
    "host": HOSTS,
    "path": PATHS,
    "level": [*LEVELS, *MORE_LEVELS, *map(str, range(-1, 52))],
}  # fmt: skip

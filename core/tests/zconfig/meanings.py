"""What the real ZConfig makes of a word, and what Switchboard should where it means to differ.

ZConfig's own datatypes are run as they are. What Switchboard should make of a word is said here by
rules that know nothing of how it does that.
"""

import datetime
import ipaddress
import os
import pwd
import re
import socket
import types

import ZConfig.components.logger.datatypes as loggers
from ZConfig import datatypes

# What `instancehome` and `~` stand for.
HOME, USER_HOME = "/srv/zope", "/home/zope"

# What differs on purpose, as docs/conf-grammar.md has it. Each has to occur, and nothing else may.
DEVIATIONS = {
    "underscore": "Python's `1_000` is no number here",
    "script": "digits and letters of other scripts are none here",
    "minus": "nothing of the conf is less than nothing",
    "too-much": "no size is above 1048576GB and no time above 36525d",
    "nothing": "a text without any letter is neither a time nor a path",
    "twice": "a unit stands once in a time; for ZConfig the last one counts",
    "loopback": "an address without a host is 127.0.0.1; for ZConfig it is all addresses",
    "localhost": "it is 127.0.0.1, without a look-up",
    "no-port": "an address has a port; 65536 is no host instead",
    "no-host": "what cannot be the name of a host is none",
    "more-hosts": "a pattern, an address in brackets, a name of one letter or with a digit in front",
    "no-path": "`unix:/x` and `tcp://x` are no paths of sockets, and a directory is none",
    "user": "`~user` is not looked up",
    "off": "a level that logs nothing",
}  # fmt: skip

SECONDS_MAX, BYTES_MAX, INTEGER_MAX = 36525 * 86400, 1 << 50, (1 << 64) - 2
LEVELS = [(5, "trace"), (15, "debug"), (20, "info"), (30, "warn"), (50, "error")]
NAME = re.compile(r"(?=.{1,253}\Z)[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?)*", re.A | re.I)

# Paths and users have to exist for ZConfig; here they do, if any could.
datatypes.os = types.SimpleNamespace(
    sep="/",
    path=types.SimpleNamespace(expanduser=os.path.expanduser, exists=lambda path: bool(path) and "\0" not in path),
)
pwd.getpwnam = lambda name: types.SimpleNamespace(pw_dir=f"/home/{name}")


# ---- what ZConfig makes of a word


def zconfig(datatype, word):
    try:
        return READERS[datatype](word)
    except (ValueError, TypeError, OverflowError):
        return None


def stock(name):
    return lambda word: str(datatypes.stock_datatypes[name](word))


def time(word):
    """In microseconds: by `time-interval`, or else by `timedelta`."""
    try:
        return str(datatypes.stock_datatypes["time-interval"](word) * 10**6)
    except ValueError:
        return str(datatypes.timedelta(word) // datetime.timedelta(microseconds=1))


def address(word):
    found = datatypes.SocketBindingAddress(word)
    if found.family == socket.AF_UNIX:
        return f"unix {found.address}"
    host, port = found.address
    return f"{groups(host) or host} {'-' if port is None else port}"


def host(word):
    found = datatypes.stock_datatypes["ipaddr-or-hostname"](word)
    return groups(found) or found


def path(word):
    """Where it leads."""
    os.environ["HOME"] = USER_HOME
    whole = os.path.join(HOME, datatypes.existing_path(word))
    return "/" + "/".join(part for part in whole.split("/") if part not in ("", "."))


def level(word):
    """The most that is logged then, of the levels that Switchboard has."""
    number = loggers.logging_level(word)
    return next(name for most, name in LEVELS if number <= most)


READERS = {
    "boolean": lambda word: "on" if datatypes.asBoolean(word) else "off",
    "integer": stock("integer"),
    "byte-size": stock("byte-size"),
    "time": time,
    "port": stock("port-number"),
    "address": address,
    "host": host,
    "path": path,
    "level": level,
}


# ---- what Switchboard should make of it, if that is something else


def deviation(datatype, word, theirs):
    """Its value and the name of the deviation; none where it should be the same."""
    if datatype == "address":
        return of_address(word, theirs)
    if datatype == "host":
        return of_host(word, theirs)
    if datatype == "level" and word.lower() == "off":
        return "off", "off"
    if theirs is None or datatype == "boolean":
        return None
    return OTHERS.get(datatype, of_number)(word, theirs)


def of_number(word, theirs=None):
    if "_" in word:
        return None, "underscore"
    if not "".join(word.split()).isascii():
        return None, "script"
    return (None, "minus") if any(part.startswith("-") for part in word.split()) else None


def of_integer(word, theirs):
    return of_number(word) or ((None, "too-much") if int(theirs) > INTEGER_MAX else None)


def of_size(word, theirs):
    return of_number(word) or ((None, "too-much") if int(theirs) > BYTES_MAX else None)


def of_time(word, theirs):
    if number := of_number(word):
        return number
    parts = word.split()
    letters = [part[-1] for part in parts]
    if not parts:
        return None, "nothing"
    if len(set(letters)) < len(letters):
        return None, "twice"
    return (None, "too-much") if int(theirs) > SECONDS_MAX * 10**6 else None


def of_address(word, theirs):
    if theirs is None:
        return None
    if "/" in word:
        if re.match("[^/:]*:/", word) or word.endswith("/") or "\0" in word:
            return None, "no-path"
        return (None, "user") if re.match("~[^/]", word) else None
    host, colon, port = word.rpartition(":")
    value = theirs.rpartition(" ")[2]
    if value == "-":
        return None, "no-port"
    if number := of_number(port):
        return number
    if not host:
        return f"127.0.0.1 {value}", "loopback"
    if host.lower() == "localhost":
        return f"127.0.0.1 {value}", "localhost"
    return None if bracketed(host) or is_name(host) else (None, "no-host")


def of_path(word, theirs):
    if not word.strip():
        return None, "nothing"
    return (None, "user") if re.match("~[^/]", word) else None


def of_host(word, theirs):
    name = word.removeprefix("*.")
    if address := groups(word) or bracketed(word):
        here = address
    else:
        here = word.lower() if is_name(name) and (name == word or not is_ipv4(name)) else None
    if here == theirs:
        return None
    return here, "no-host" if here is None else "more-hosts"


def is_name(text):
    return bool(NAME.fullmatch(text)) and (is_ipv4(text) or not re.fullmatch("[0-9.]*", text))


def is_ipv4(text):
    try:
        return bool(ipaddress.IPv4Address(text))
    except ValueError:
        return False


def bracketed(text):
    return groups(text[1:-1]) if text[:1] + text[-1:] == "[]" else None


def groups(text):
    """An IPv6 address without any of the ways to shorten it; none if it is not one."""
    try:
        data = socket.inet_pton(socket.AF_INET6, text)
    except (OSError, ValueError):
        return None
    return ":".join(f"{data[at] << 8 | data[at + 1]:x}" for at in range(0, 16, 2))


OTHERS = {"time": of_time, "byte-size": of_size, "integer": of_integer, "path": of_path}

"""The words that generated conf files are made of, and the environment they are read in."""

# White space as Python has it; "\n" alone ends a line.
BLANKS = [" ", "  ", "\t", "\r", "\v", "\f", "\x1c", "\x1d", "\x1e", "\x1f", "\x85", "\xa0", "\u2028", "\u3000"]
# What only looks like it.
NO_BLANKS = ["\u200b", "\ufeff", "\u180e", "\x00", "\x08"]

KEYS = [
    "address", "Port-Base", "mount-point", "path", "LEVEL", "max-message-size", "k", "K", "0", "_x", "a.b-c",
    "schlüssel", "日本", "É", "ключ", "a=b", "a:", '"q"', "\\", "$x", "${x}", "a>b", "a<b", "a#b", "a%b", "a/b", "/",
    ">", "*", "[::1]:80", "e\u0301", "\u200bk", "k\ufeff", "🔌", "x" * 300,
]  # fmt: skip
TYPES = [
    "websocket", "WebSocket", "zodb_db", "filestorage", "eventlog", "logger", "a", "A", "b", "x-y", "http-server",
    "É", "ΑΣ", "İ", "ẞ", "\u212a", "ǅ", "日本", "a=b", "a>b", '"q"', "$x", "%x", "#x", "a<b", "a/b",
]  # fmt: skip
NAMES = [
    "main", "Main", "temporary", "/chat", "/Chat/Room", "*", "+", "[::1]:80", "a>b", "日本", '"q"', "É", "ΣΑΣ", "a=b",
    "$x", "${x}", "#", "%", "<", "/a%20b", "..", "-", "0", "İstanbul",
]  # fmt: skip
# Behind these a blank must stand, or the section is empty.
SLASHED = ["/", "//", "/chat/", "/Assets/"]
DEFINES = ["x", "INSTANCE", "Client_Home", "_a", "a1", "name", "longer_name_with_9", "n"]
TEXTS = [
    "on", "OFF", "127.0.0.1:8080", "/var/lib/zope/Data.fs", "16 MB", "%(asctime)s %(message)s", "# no comment",
    "a  b", "<b>", "</a>", "(x)", "日本語", "café", "e\u0301", "\\n \\", '"quoted"', "'", "%define x y", "100%",
    "a\u3000b", "a\rb", "a\x1fb", "a\u200bb", "🔌", "{x}", "[x]", "x" * 2000, "key value", "=", "/", ">", "~/x",
    "^[a-z]+$$",
]  # fmt: skip
REFERENCES = ["$$", "$$x", "$(HOME)", "$(EMPTY)", "$(PADDED)", "$(UNICODE)", "$(DOLLARS)", "$(_under1)"]
# No text of UTF-8 has them.
BAD_BYTES = [b"\xff", b"\xc3(", b"\xed\xa0\x80", b"\xc0\xaf", b"\xf4\x90\x80\x80", b"\xe6\x97"]
COMPONENTS = ["ZConfig.components.logger", "ZConfig.components.basic", "relstorage", "no.such.package", "É", "a b"]

# A variable that is no UTF-8 is among them, and NOPE is not.
ENVIRONMENT = {
    b"HOME": b"/home/zope",
    b"EMPTY": b"",
    b"PADDED": b" a b ",
    b"UNICODE": "日本\u3000語".encode(),
    b"DOLLARS": b"$x ${y} $$ $(HOME)",
    b"PART": b"part",
    b"_under1": b"1",
    b"BYTES": b"caf\xe9",
}

# Each is wrong by itself wherever it stands, and every error of a line that there is, is among them.
WRONG = [
    "(", ")", "(k v", ")k", "(k)", "<", "<a", "<a> # x", "<a b", "</", "</a", "</a> x", "</a>x", "<>", "< a>",
    "<a b c>", "<a b(c)>", "<a()>", "<(>", "</ >", "<a b c/>", "< />", "</>", "</nope>", "</ a>", "</a b>", "</É>",
    "%", "% define a b", "%(a)", "%)", "%DEFINE a b", "%defines a b", "%Include a", "%define", "%define ", "%include",
    "%import", "%define a-b c", "%define 1a", "%define é x", "%define a.b", "%define $x y", "%define q $q",
    "%define q ${nope}", "%define q $", "k $nope", "k a${nope}b", "k $(NOPE)", "k $(home)", "k $", "k a$ b", "k $1",
    "k $-", "k $é", "k ${", "k ${}", "k ${1}", "k ${ x}", "k ${x", "k ${x }", "k ${x:-y}", "k $(", "k $()", "k $(1)",
    "k $(HOME", "k $(HOME }", "k $$$", "%import a..b", "%import .", "%import $x.", "%import .a", "%import $",
    "%include $nope", "%include none.conf", "%include .", "%include ..", "%include ./", "%include a#b",
    "%include a # b", "%include x.conf/", "%include \x00", "%include x\x00y", "%include $(HOME)/none.conf",
    "%include file:none.conf", "k $(BYTES)", "%define q $(BYTES)",
]  # fmt: skip
REMOTE = [
    "%include http://localhost/x.conf", "%include https://[::1]/x", "%include ftp://x/y",
    "%include package:ZConfig:x.conf", "%include //elsewhere/x.conf", "%include file://elsewhere/x.conf",
    "%include x:y.conf", "%include HTTP:x.conf", "%include file://localhost", "%include zconfig+x:y",
]  # fmt: skip

# Pieces that mean something, for mutations.
PIECES = [
    "<", ">", "/", "</", "/>", "#", "%", "$", "$$", "${", "}", "$(", "(", ")", "\n", "\r\n", "\n\n", "%define ",
    "%include ", "%import ", "$x", "${x}", "$(HOME)", "<a>", "</a>", "<a/>", "<a b/>", "%define x 1\n",
    "%define x 2\n", "$INSTANCE", *BLANKS, *NO_BLANKS, "é", "İ", "\ufeff", "Σ",
]  # fmt: skip

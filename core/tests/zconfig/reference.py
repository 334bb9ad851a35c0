"""What the real ZConfig makes of a conf file, as the tree that `switchboard conf tree` prints.

ZConfig's own parser, substitution, URLs and opening of files are run as they are. Only what it
builds is ours: no schema is asked what a key means. Where Switchboard means to differ, `Context`
does as Switchboard should (and says so in `deviations`), so that everything else can be compared;
with `plain`, it does as ZConfig does.
"""

import io
import os
import pathlib
import re
import types
import urllib.parse
import urllib.request

import ZConfig.cfgparser
import ZConfig.loader
import ZConfig.substitution
import ZConfig.url

INCLUDE_DEPTH_MAX = 64
REMOTE = "%include takes files of this machine only"


class Refused(Exception):
    """ZConfig would go on here, and Switchboard should not: the beginning of its message."""


def read(path, plain=False):
    """The tree, or the error as file, line and message; and the deviations that were met."""
    context = Context(plain)
    ZConfig.substitution.os = types.SimpleNamespace(getenv=context.variable)
    try:
        root = context.loadURL(pathlib.Path(path).as_uri())
        return {**root.tree(), "imports": context.imports}, context.deviations
    except RecursionError:
        # Only where nothing watches for cycles.
        return {"error": {"file": None, "line": 0, "message": "RecursionError"}}, context.deviations
    except Exception as error:
        return {"error": context.error(error, path)}, context.deviations
    finally:
        ZConfig.substitution.os = os


class Section:
    """What the parser puts keys and sections into."""

    def __init__(self, type_, name, at):
        self.type, self.name, self.at = type_, name, at
        self.items, self.places, self.sections = [], [], []

    def addValue(self, key, value, position):
        line, _, url = position
        self.items.append([key, value])
        self.places.append([file_of(url), line])

    def tree(self):
        """Sections nest without limit, so this does not call itself."""
        done, todo = {}, [self]
        while todo:
            section = todo[-1]
            if missing := [inner for inner in section.sections if id(inner) not in done]:
                todo += missing
                continue
            todo.pop()
            inner = [done.pop(id(inner)) for inner in section.sections]
            done[id(section)] = section.alone() | {"sections": inner}
        return done[id(self)]

    def alone(self):
        return {"type": self.type, "name": self.name, "pos": self.at, "items": self.items, "item_pos": self.places}


class Parser(ZConfig.cfgparser.ZConfigParser):
    """Tells the context where sections begin, and where it was when something went wrong."""

    def parse(self, section):
        try:
            super().parse(section)
        except Exception:
            self.context.at = self.context.at or (file_of(self.url), self.lineno)
            raise

    def start_section(self, section, rest):
        self.context.header = [file_of(self.url), self.lineno]
        return super().start_section(section, rest)


class Context(ZConfig.loader.BaseLoader):
    """What the parser asks for sections, includes and imports."""

    def __init__(self, plain):
        super().__init__()
        self.plain = plain
        self.deviations = set()
        self.imports = []
        self.header = self.at = None
        self.files = []

    def loadResource(self, resource):
        root = Section(None, None, None)
        self.parse(resource, root, {})
        return root

    def parse(self, resource, section, defines):
        text = resource.file.read()
        if text.startswith("\ufeff") and not self.plain:
            self.deviations.add("byte-order-mark")
            text = text[1:]
        resource.file = io.StringIO(text, newline="\n")
        self.files.append(file_of(resource.url))
        Parser(resource, self, defines).parse(section)
        self.files.pop()

    def startSection(self, parent, type_, name):
        return Section(type_, name, self.header)

    def endSection(self, parent, type_, name, section):
        parent.sections.append(section)

    def importSchemaComponent(self, package):
        """Looks for the component as ZConfig does, but loads nothing."""
        try:
            ZConfig.loader.SchemaLoader().schemaComponentSource(package, "")
        except ZConfig.SchemaResourceError:
            if self.plain:
                raise
            self.deviations.add("import-of-anything")
        if package not in self.imports:
            self.imports.append(package)

    def includeConfiguration(self, section, url, defines):
        # One letter and a colon is a drive of Windows for ZConfig, also elsewhere.
        if not self.plain and re.match("[A-Za-z]:", url):
            self.refuse("remote", REMOTE)
        url = self.normalizeURL(url)
        if not self.plain:
            url = self.meant(url)
            self.check(file_of(url))
        elif not url.startswith("file:"):
            raise Refused(url)
        with self.openResource(url) as resource:
            self.parse(resource, section, defines)

    def meant(self, url):
        """The URL that Switchboard reads; one without anything that only a URL can have."""
        if not url.startswith("file:"):
            self.refuse("remote", REMOTE)
        # ZConfig's way to write one with a host. It would look below a directory of that name.
        if url.startswith("file:////"):
            host, slash, path = url.removeprefix("file:////").partition("/")
            if host.lower() != "localhost" or not slash:
                self.refuse("remote", REMOTE)
            self.deviations.add("localhost")
            url = f"file:///{path}"
        path = url.removeprefix("file://")
        named = file_of(url)
        normal = os.path.normpath(named)
        if odd := re.search(r"%2f|\?|/(\.|%2e){1,2}(/|$)", path, re.I):
            self.deviations.add("directory-of-a-file")
        if odd or normal != named.rstrip("/"):
            return "file://" + urllib.parse.quote(normal + "/" * named.endswith("/"))
        return url

    def check(self, file):
        if file in self.files:
            self.refuse("cycle", "%include cycle: ")
        if len(self.files) > INCLUDE_DEPTH_MAX:
            self.refuse("depth", f"%include goes deeper than {INCLUDE_DEPTH_MAX} files")

    def refuse(self, deviation, message):
        self.deviations.add(deviation)
        raise Refused(message)

    def variable(self, name):
        value = os.environ.get(name)
        if value is not None and not self.plain and any("\ud800" <= c <= "\udfff" for c in value):
            self.deviations.add("variable-not-utf8")
            return None
        return value

    def error(self, error, main):
        file, line = self.at or (str(main), 0)
        if isinstance(error, UnicodeDecodeError):
            # The file has not become a resource, so its name is known to nobody but the test.
            self.deviations.add("place-of-bad-utf8")
            good = error.object[: error.start]
            return {"file": None, "line": good.count(b"\n") + 1, "message": "not UTF-8", "bytes": error.object}
        message = getattr(error, "message", None) or str(error)
        if not isinstance(error, Refused) and (getattr(error, "lineno", None) or -1) < 0:
            self.deviations.add("place-of-" + place_missing(error))
        return {"file": file, "line": line, "message": message}


def place_missing(error):
    """What kind of error it is whose line ZConfig does not tell."""
    if isinstance(error, ZConfig.SubstitutionSyntaxError):
        return "substitution"
    return "import" if isinstance(error, ZConfig.SchemaError) else "include"


def file_of(url):
    """The file that urllib opens for it."""
    return urllib.request.url2pathname(urllib.request.Request(url).selector)

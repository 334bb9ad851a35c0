"""The ways on which the suite meets the host, and what it asks on each."""

import subprocess
from contextlib import ExitStack
from dataclasses import dataclass

import hosts
from hosts import Host
from suite import ROOT, Fuzzer

REPORTS = ROOT / "target/autobahn/reports"

ALL = ("*",)
# Of each set of parameters for compression two sizes: 256 bytes, and 8 KiB in fragments of 256.
COMPRESSED = ("12.*.3", "12.*.11", "13.*.3", "13.*.11")
UNCOMPRESSED = tuple(f"{section}.*" for section in (1, 2, 3, 4, 5, 6, 7, 9, 10))
BOUNDED = (*UNCOMPRESSED, *COMPRESSED)

# The suite has a limit for each case; these are for one that hangs as a whole.
MINUTES_MAX = 60
CASE_SECONDS_MAX = 600

PLUGIN = "  <plugin echo />"
PROGRAM = f"  <external>\n    program {hosts.PROGRAM}\n  </external>"

# What our client offers in 13.N: the parameters of the suite's own offers, for both directions.
OFFERS = {
    "13.2": "client_no_context_takeover; server_no_context_takeover",
    "13.3": "client_max_window_bits; server_max_window_bits=9",
    "13.4": "client_max_window_bits; server_max_window_bits=15",
    "13.5": "client_max_window_bits; server_no_context_takeover; server_max_window_bits=9",
    "13.6": "client_max_window_bits; server_no_context_takeover; server_max_window_bits=15",
}
DEFAULT_OFFER = "client_max_window_bits"


@dataclass(frozen=True)
class Path:
    """One way. `run` takes the path, the name of a part, its cases, how to compress and the build."""

    name: str
    what: str
    run: callable
    cases: tuple
    compression: str
    tls: bool = False


# ---- the suite is the client


def on_plugin(path, compression, build, fuzz):
    with Host(hosts.section("/echo", PLUGIN, compression), build, path.tls) as host:
        return fuzz(host.url("/echo"))


def on_program(path, compression, build, fuzz):
    with Host(hosts.section("/echo", PROGRAM, compression), build, path.tls) as host:
        return fuzz(host.url("/echo"))


def on_forward(path, compression, build, fuzz):
    """Over TLS the host behind speaks it too."""
    with Host(hosts.section("/echo", PLUGIN, "off"), build, path.tls) as behind:
        section = hosts.section("/app", forward(behind.url("/echo"), behind.certificate), compression)
        with Host(section, build, path.tls) as host:
            return fuzz(host.url("/app"))


def forward(url, certificate=None):
    ca = f"    ca {certificate}\n" if certificate else ""
    return f"  <forward>\n    url {url}\n{ca}  </forward>"


def as_server(name, what, on, cases, compression, tls=False):
    def run(path, part, cases, compression, build):
        def fuzz(url):
            spec = {"servers": [{"agent": "switchboard", "url": url}], "cases": cases}
            with Fuzzer("client", REPORTS / path.name / part, spec) as fuzzer:
                fuzzer.finish(60 * MINUTES_MAX)
                return fuzzer.results()

        return on(path, compression, build, fuzz)

    return Path(name, what, run, cases, compression, tls)


# ---- the suite is the server


def as_client(name, what, is_behind, cases, compression):
    """Of `switchboard connect`, or of a forward that it connects to."""

    def run(path, part, cases, compression, build):
        with ExitStack() as ends:
            spec = {"url": "ws://127.0.0.1:1", "cases": cases}
            fuzzer = ends.enter_context(Fuzzer("server", REPORTS / path.name / part, spec))
            url = f"ws://127.0.0.1:{fuzzer.port()}"
            if is_behind:
                host = ends.enter_context(Host(hosts.section("/suite", forward(url), "off"), build))
                url = host.url("/suite")
            for case in cases:
                options = [] if compression == "off" else offering(case)
                echo(build, f"{url}/runCase?agent=switchboard&casetuple={case}", options, fuzzer)
            echo(build, f"{url}/updateReports?agent=switchboard", [], fuzzer)
            return fuzzer.results()

    return Path(name, what, run, cases, compression)


def offering(case):
    offer = OFFERS.get(".".join(case.split(".")[:2]), DEFAULT_OFFER)
    return [f"--compression={offer}", "--compression-threshold=0"]


def echo(build, url, options, fuzzer):
    """Our client, until the server closes; what its end is worth is the suite's to say."""
    with open(fuzzer.folder / "client.log", "a") as log:
        print(url, file=log, flush=True)
        command = [build / "switchboard", "connect", "--echo", *options, url]
        client = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=log)
        try:
            client.wait(CASE_SECONDS_MAX)
        except subprocess.TimeoutExpired:
            client.kill()


ON_PROGRAM = "a C++ program on the SDK behind `<external>`"
ON_FORWARD = "`<forward>` to the plugin `echo` of another host"
PATHS = [
    as_server("plugin", "the plugin `echo`", on_plugin, ALL, "dedicated"),
    as_server("program", ON_PROGRAM, on_program, BOUNDED, "dedicated"),
    as_server("forward", ON_FORWARD, on_forward, BOUNDED, "dedicated"),
    as_server("plugin-tls", "the same plugin over TLS", on_plugin, BOUNDED, "shared", tls=True),
    as_server("program-tls", "the same program, its client over TLS", on_program, BOUNDED, "shared", tls=True),
    as_server("forward-tls", "the same forward, TLS on both of its sides", on_forward, BOUNDED, "shared", tls=True),
    as_client("client", "`switchboard connect --echo`; the suite is the server", False, BOUNDED, "dedicated"),
    as_client("upstream", "that client through `<forward>`; the suite is the server behind", True, UNCOMPRESSED, "off"),
]

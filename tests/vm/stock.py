"""A stock kernel and QEMU, from Debian's packages: downloaded and unpacked, never installed.

They are kept in $XDG_CACHE_HOME/maglb-vm (~/.cache/maglb-vm), about 90 MB of packages and 480 MB
unpacked, and used again without a network. Removing that directory is all it takes to be rid of them.

    archives/       the packages
    root/           what they hold; lib/modules has been indexed by depmod
    ready           which packages root/ was made of; written last
"""

import dataclasses
import fcntl
import os
import pathlib
import re
import shutil
import subprocess
import sys

CACHE = pathlib.Path(os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache") / "maglb-vm"
# The cloud kernel has no 9p, so it is the full one.
KERNEL = "linux-image-amd64"
DOWNLOAD_SECONDS = 300


class NoStock(Exception):
    """The packages could not be had; says why."""


@dataclasses.dataclass(frozen=True)
class Stock:
    root: pathlib.Path
    release: str  # of the kernel

    @property
    def kernel(self):
        return self.root / "boot" / f"vmlinuz-{self.release}"

    @property
    def modules(self):
        return self.root / "lib/modules" / self.release

    @property
    def busybox(self):
        return self.root / "bin/busybox"

    def module_files(self, *names):
        """The files of these modules and of what they need, in the order to load them."""
        files = []
        for name in names:
            shown = _run("modprobe", "-d", self.root, "-S", self.release, "--show-depends", name)
            for line in shown.splitlines():
                path = line.removeprefix("insmod ").strip()
                if line.startswith("insmod ") and path not in files:
                    files.append(path)
        return [pathlib.Path(path) for path in files]

    def qemu(self):
        """The command, with its firmware, and the environment it needs."""
        unpacked = self.root / "usr/bin/qemu-system-x86_64"
        if not unpacked.exists():  # this machine has it installed
            return ["qemu-system-x86_64"], {}
        libraries = self.root / "usr/lib/x86_64-linux-gnu"
        command = [str(unpacked), "-L", str(self.root / "usr/share/qemu"), "-L", str(self.root / "usr/share/seabios")]
        path = f"{libraries}:{self.root / 'lib/x86_64-linux-gnu'}"
        return command, {"LD_LIBRARY_PATH": path, "QEMU_MODULE_DIR": str(libraries / "qemu")}


def prepare():
    """The stock, downloaded unless it is there. Runs side by side wait for each other."""
    CACHE.mkdir(parents=True, exist_ok=True)
    with open(CACHE / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (CACHE / "ready").exists():
            _download()
            _unpack()
        releases = [path.name.removeprefix("vmlinuz-") for path in (CACHE / "root/boot").glob("vmlinuz-*")]
    return Stock(CACHE / "root", sorted(releases)[-1])


def _run(*command, timeout=60, cwd=None):
    try:
        done = subprocess.run(
            [str(word) for word in command], cwd=cwd, capture_output=True, text=True, timeout=timeout
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise NoStock(f"{command[0]}: {error}") from None
    if done.returncode != 0:
        raise NoStock(f"{' '.join(map(str, command))}: exit {done.returncode}: {(done.stderr or done.stdout)[-800:]}")
    return done.stdout


def _kernel_package():
    depends = _run("apt-cache", "depends", KERNEL)
    found = re.search(r"Depends: (linux-image-\S+)", depends)
    if not found:
        raise NoStock(f"apt-cache knows no package {KERNEL}")
    return found.group(1)


def _download():
    archives = CACHE / "archives"
    shutil.rmtree(archives, ignore_errors=True)
    (archives / "partial").mkdir(parents=True)
    # As root, apt would rather download as its own user, who has no business in a home directory.
    apt = ["apt-get", "-q", "-y", "-o", "Acquire::Retries=2", "-o", "Acquire::http::Timeout=30"]
    apt += ["-o", "APT::Sandbox::User=root"]
    _run(*apt, "update", timeout=DOWNLOAD_SECONDS)
    if shutil.which("qemu-system-x86_64") is None:
        place = ["-o", f"Dir::Cache::archives={archives}", "-o", "Debug::NoLocking=true"]
        install = ["install", "--download-only", "--no-install-recommends", "qemu-system-x86"]
        _run(*apt, *place, *install, timeout=DOWNLOAD_SECONDS)
    _run(*apt, "download", _kernel_package(), "busybox-static", timeout=DOWNLOAD_SECONDS, cwd=archives)


def _unpack():
    root = CACHE / "root"
    shutil.rmtree(root, ignore_errors=True)
    root.mkdir()
    packages = sorted((CACHE / "archives").glob("*.deb"))
    for package in packages:
        _run("dpkg", "-x", package, root, timeout=120)
    for release in (root / "lib/modules").iterdir():
        _run("depmod", "-b", root, release.name)
    (CACHE / "ready").write_text("".join(f"{package.name}\n" for package in packages))


if __name__ == "__main__":
    try:
        print(f"kernel {prepare().release} is in {CACHE}")
    except NoStock as problem:
        sys.exit(f"no QEMU and kernel to test with: {problem}")

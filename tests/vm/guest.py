"""A Debian guest with a stock kernel under QEMU's own emulation: no KVM is asked for.

Its root is this machine's, read-only over 9p, beneath a tmpfs: it has the same programs and libraries,
and nothing it writes is kept. Its network cards are taps of a namespace of the test's. Function can be
judged in it, speed can not.
"""

import dataclasses
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
# 8 to 13 on a machine with nothing else to do; one that compiles may take five times as long.
BOOT_SECONDS = 120
QUEUES = 2  # of a card for vfio
# What the initramfs needs to reach the shared root and the host's requests.
BOOT_MODULES = ("virtio_pci", "9pnet_virtio", "9p", "overlay", "virtio_console", "virtio_net")

INIT = """#!/bin/busybox sh
/bin/busybox --install -s /bin
mount -t proc proc /proc
mount -t sysfs sysfs /sys
for module in $(cat /modules/order); do insmod /modules/$module; done
mount -t 9p -o trans=virtio,version=9p2000.L,msize=262144,cache=loose,ro host /host
mount -t tmpfs tmpfs /upper
mkdir /upper/data /upper/work
mount -t overlay -o lowerdir=/host,upperdir=/upper/data,workdir=/upper/work overlay /merged
umount /sys /proc
exec switch_root /merged /usr/bin/python3 -B @AGENT@ @MODULES@
"""


class GuestFailed(AssertionError):
    """A command in the guest ended with another exit code than 0."""


@dataclasses.dataclass(frozen=True)
class Card:
    """A virtio network card on a tap. `pci` makes it fit for vfio: behind the IOMMU, with queues and RSS."""

    tap: str
    mac: str
    slot: int
    pci: bool = False

    def arguments(self):
        # Without offloads every checksum is on the wire, and the guest's kernel looks at each.
        off = "csum guest_csum gso guest_tso4 guest_tso6 guest_ecn guest_ufo host_tso4 host_tso6 host_ecn host_ufo"
        device = f"virtio-net-pci,netdev={self.tap},mac={self.mac},addr={self.slot:#x},romfile="
        device += "".join(f",{word}=off" for word in off.split())
        netdev = f"tap,id={self.tap},ifname={self.tap},script=no,downscript=no"
        if self.pci:
            device += f",iommu_platform=on,ats=on,disable-legacy=on,mq=on,vectors={2 * QUEUES + 2},rss=on"
            netdev += f",queues={QUEUES}"
        return ["-netdev", netdev, "-device", device]


def build_initramfs(stock, place):
    """A cpio archive with busybox, the modules and the script above."""
    tree = place / "initramfs"
    for folder in ("bin", "modules", "proc", "sys", "dev", "host", "upper", "merged"):
        (tree / folder).mkdir(parents=True)
    shutil.copy2(stock.busybox, tree / "bin/busybox")
    files = stock.module_files(*BOOT_MODULES)
    for file in files:
        shutil.copy2(file, tree / "modules" / file.name)
    (tree / "modules/order").write_text("".join(f"{file.name}\n" for file in files))
    init = tree / "init"
    init.write_text(INIT.replace("@AGENT@", str(HERE / "agent.py")).replace("@MODULES@", str(stock.modules)))
    init.chmod(0o755)
    names = "\n".join(str(path.relative_to(tree)) for path in sorted(tree.rglob("*"))) + "\n"
    archive = place / "initramfs.cpio"
    with open(archive, "wb") as output:
        pack = [str(stock.busybox), "cpio", "-o", "-H", "newc"]
        subprocess.run(pack, cwd=tree, input=names.encode(), stdout=output, stderr=subprocess.DEVNULL, check=True)
    shutil.rmtree(tree)
    return archive


class Guest:
    """One guest, from boot to power-off. Requests have a deadline; one that is missed ends the guest."""

    def __init__(self, stock, namespace, cards, memory="2G"):
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="maglb-vm-"))
        self.console = self.directory / "console.log"
        self.process = None
        self.channel = None
        self.waiting = b""
        try:
            self._boot(stock, namespace, cards, memory)
        except BaseException:
            self.power_off()
            raise

    def _boot(self, stock, namespace, cards, memory):
        started = time.monotonic()
        port = self.directory / "port"
        qemu, environment = stock.qemu()
        command_line = "console=ttyS0 quiet panic=-1 net.ifnames=0 intel_iommu=on iommu=pt hugepages=256"
        command = [
            *qemu, "-nodefaults", "-display", "none", "-no-reboot",
            "-accel", "tcg,thread=multi", "-cpu", "max", "-smp", "2", "-m", memory,
            "-M", "q35,kernel-irqchip=split",
            "-device", "intel-iommu,caching-mode=on,intremap=on,device-iotlb=on",
            "-kernel", str(stock.kernel), "-initrd", str(build_initramfs(stock, self.directory)),
            "-append", command_line, "-serial", f"file:{self.console}",
            "-fsdev", "local,id=root,path=/,security_model=none,readonly=on,multidevs=remap",
            "-device", "virtio-9p-pci,fsdev=root,mount_tag=host",
            "-chardev", f"socket,id=port,path={port},server=on,wait=off",
            "-device", "virtio-serial-pci", "-device", "virtserialport,chardev=port,name=maglb",
        ]  # fmt: skip
        for card in cards:
            command += card.arguments()
        with open(self.directory / "qemu.log", "wb") as log:
            # Dies with this process, whatever becomes of it.
            self.process = subprocess.Popen(
                ["setpriv", "--pdeathsig", "KILL", "ip", "netns", "exec", namespace, *command],
                env=dict(os.environ, **environment), stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            )  # fmt: skip
        self.channel = self._connect(port, time.monotonic() + 15)
        if not self._line(BOOT_SECONDS).get("ready"):
            raise GuestFailed("the guest's agent did not say that it is ready")
        self.boot_seconds = time.monotonic() - started

    def _connect(self, port, deadline):
        while True:
            channel = socket.socket(socket.AF_UNIX)
            try:
                channel.connect(str(port))
                return channel
            except OSError as error:
                channel.close()
                if self.process.poll() is not None or time.monotonic() > deadline:
                    raise GuestFailed(f"QEMU does not start: {error}\n{self.log()}") from None
                time.sleep(0.05)

    def _line(self, seconds):
        deadline = time.monotonic() + seconds
        while b"\n" not in self.waiting:
            self.channel.settimeout(max(0.01, deadline - time.monotonic()))
            try:
                chunk = self.channel.recv(65536)
            except TimeoutError:
                chunk = b""
            if not chunk:
                problem = "has ended" if time.monotonic() < deadline else f"said nothing for {seconds} s"
                text = f"the guest {problem}\n{self.log()}"
                self.power_off()
                raise GuestFailed(text)
            self.waiting += chunk
        line, self.waiting = self.waiting.split(b"\n", 1)
        return json.loads(line)

    def _ask(self, seconds, **request):
        if self.channel is None:
            raise GuestFailed("the guest has ended before")
        self.channel.settimeout(10)
        self.channel.sendall(json.dumps(request).encode() + b"\n")
        return self._line(seconds + 20)

    def run(self, *command, timeout=30, check=True):
        """A command's output, or an AssertionError; (exit code, output) without `check`."""
        answer = self._ask(timeout, do="run", command=list(command), timeout=timeout)
        if not check:
            return answer["code"], answer["output"]
        if answer["code"] != 0:
            raise GuestFailed(f"guest: {' '.join(command)}: exit {answer['code']}: {answer['output'][-2000:]}")
        return answer["output"]

    def shell(self, script, timeout=30):
        """Lines of sh; the first that fails is an AssertionError."""
        return self.run("sh", "-euxc", script, timeout=timeout)

    def read(self, *paths):
        """The texts of these files: quicker than any command."""
        answer = self._ask(10, do="read", paths=list(paths))
        if answer["code"] != 0:
            raise GuestFailed(f"guest: {answer['output']}")
        return answer["texts"]

    def start(self, *command, log):
        answer = self._ask(10, do="start", command=list(command), log=log)
        if answer["code"] != 0:
            raise GuestFailed(f"guest: {' '.join(command)}: {answer['output']}")
        return answer["pid"]

    def end(self, pid, timeout=20):
        return self._ask(timeout, do="end", pid=pid, timeout=timeout)["code"]

    def log(self):
        text = ""
        for path in (self.directory / "qemu.log", self.console):
            if path.exists():
                text += f"--- {path.name}\n{path.read_text(errors='replace')[-4000:]}\n"
        return text

    def power_off(self):
        """The agent powers off when the port closes; a guest that does not is killed."""
        if self.channel is not None:
            self.channel.close()
            self.channel = None
        if self.process is not None:
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.send_signal(signal.SIGKILL)
                self.process.wait(10)
            self.process = None
        shutil.rmtree(self.directory, ignore_errors=True)

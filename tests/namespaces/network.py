"""Two network namespaces joined by a cable: where the caller is, and where lictor and the agents are."""

import concurrent.futures
import ctypes
import os
import pathlib
import subprocess
from collections.abc import Callable

CALLER, BALANCER = "10.77.0.1", "10.77.0.3"
HERE = {"v4": "10.77.0.2", "v6": "fd77::2"}
# Of no machine: packets for them only pass through here.
BEYOND = {"v4": "10.78.0.5", "v6": "fd78::5"}
CALLERS = {"v4": CALLER, "v6": "fd77::1"}
CABLE = "inside"

CLONE_NEWNET = 0x40000000


def run(*command: object) -> None:
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(map(str, command))}: {done.stderr.strip()}")


class Network:
    """Both namespaces, until `close`."""

    def __init__(self) -> None:
        self.caller, self.here = f"lictor-{os.getpid()}-caller", f"lictor-{os.getpid()}-here"
        self.made: list[str] = []

    def make(self) -> None:
        for name in (self.caller, self.here):
            run("ip", "netns", "add", name)
            self.made.append(name)
            self.ip(name, "link", "set", "lo", "up")
        ends = ["link", "add", "outside", "type", "veth", "peer", "name", CABLE, "netns", self.here]
        self.ip(self.caller, *ends)
        self.plug(self.caller, "outside", [f"{CALLER}/24", f"{BALANCER}/24", f"{CALLERS['v6']}/64"])
        self.plug(self.here, CABLE, [f"{HERE['v4']}/24", f"{HERE['v6']}/64"])
        self.ip(self.caller, "route", "add", "10.78.0.0/24", "via", HERE["v4"])
        self.ip(self.caller, "-6", "route", "add", "fd78::/64", "via", HERE["v6"])

    def ip(self, name: str, *words: str) -> None:
        run("ip", "-netns", name, *words)

    def plug(self, name: str, device: str, addresses: list[str]) -> None:
        for address in addresses:
            # Without the wait in which an address is not used until no other host has claimed it.
            self.ip(name, "address", "add", address, "dev", device, *(["nodad"] if ":" in address else []))
        self.ip(name, "link", "set", device, "up")

    def lines(self, text: str) -> None:
        """Runs lines of a shell where lictor is."""
        run("ip", "netns", "exec", self.here, "sh", "-euc", text)

    def start(self, command: list[object], log: pathlib.Path) -> subprocess.Popen:
        """Starts a program where lictor is. It takes the place of `ip`, so that its id is ours to end."""
        words = ["ip", "netns", "exec", self.here, *map(str, command)]
        with log.open("wb") as out:
            return subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=out, stderr=out)

    def close(self) -> None:
        for name in self.made:
            run("ip", "netns", "delete", name)


def inside(name: str, work: Callable, *arguments: object):
    """Does this in a namespace: a thread belongs to one, and its sockets with it."""
    with concurrent.futures.ThreadPoolExecutor(1, initializer=_enter, initargs=(name,)) as pool:
        return pool.submit(work, *arguments).result()


def _enter(name: str) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    with open(f"/run/netns/{name}", "rb") as namespace:
        if libc.setns(namespace.fileno(), CLONE_NEWNET):
            raise OSError(ctypes.get_errno(), "setns")

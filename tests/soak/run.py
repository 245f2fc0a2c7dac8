#!/usr/bin/env python3
"""lictor under mixed load for a while: memory, descriptors, reloads, and stops in the middle of it.

usage: run.py --lictor PATH [--seconds N] [--pace N] [--stops N] [--attacks SECONDS]

Starts one lictor in plain text and one over TLS (with the scan on) before the same agent, and lets callers of
all kinds at both while their policies are rewritten without a pause. Then stops fresh ones by SIGTERM under
load, again and again. With `--attacks` it measures what a healthy caller waits beside each attack, for so
many seconds each; use an optimised binary for that. `--pace` has the callers of the soak rest N times as long, for a
machine that has other things to do. Loopback only. The last line is `N passed, N failed`.
"""

import argparse
import asyncio
import contextlib
import pathlib
import signal
import statistics
import subprocess
import sys
import tempfile
import time

import attacks
import traffic
from program import Lictor, free_port, wait_for

HERE = pathlib.Path(__file__).resolve().parent
MIB = 1 << 20

# How much more memory the last third of a soak may hold than the second: what an allocator keeps of a peak
# that came late. A leak of one connection's worth for each connection would be ten times that in a minute.
GROWTH = 8 * MIB
# Connections to the agent that are kept, for each of two workers, and what a scrape or an audit file opens.
KEPT = 264


class Cases:
    """Counts and prints."""

    def __init__(self) -> None:
        self.passed = self.failed = 0

    def check(self, name: str, holds: bool, saw: object) -> None:
        self.passed += holds
        self.failed += not holds
        print(f"{'ok   ' if holds else 'FAIL '} {name}: {saw}", flush=True)


async def soak(cases: Cases, lictors: list[Lictor], seconds: int, pace: float) -> None:
    loads = [traffic.Load(lictor, pace) for lictor in lictors]
    before = [lictor.descriptors() for lictor in lictors]
    for load in loads:
        load.start(traffic.ALL)
    until = time.monotonic() + seconds
    reloads = [asyncio.create_task(reload(lictor, until)) for lictor in lictors]
    memory: list[list[int]] = [[] for _ in lictors]
    try:
        while time.monotonic() < until:
            await asyncio.sleep(min(1, seconds / 60))
            for lictor, samples in zip(lictors, memory):
                samples.append(lictor.memory())
        reloaded = await asyncio.gather(*reloads)
    finally:
        # Callers swallow what ends them, and would keep a failure from being told.
        await asyncio.gather(*(load.stop() for load in loads))
    for load, samples, count, open_before in zip(loads, memory, reloaded, before):
        name = "over TLS" if load.lictor.tls else "in plain text"
        cases.check(f"{name}, every request is served", not load.wrong, (load.served, load.wrong[:5]))
        failures = load.lictor.metric('lictor_policy_reloads_total{result="failure"}')
        cases.check(f"{name}, reloads beside it", count >= seconds // 2 and not failures, count)
        panics = load.lictor.metric("lictor_panics_total")
        cases.check(f"{name}, no bug is met", panics == 0, panics)
        third = len(samples) // 3
        middle, last = statistics.median(samples[third : -third]), statistics.median(samples[-third:])
        saw = f"{middle / MIB:.1f} MiB in the second third, {last / MIB:.1f} in the last"
        cases.check(f"{name}, memory is flat", last <= middle + GROWTH, saw)
        open_after = await settled(load.lictor, open_before + KEPT)
        saw = f"{open_before} before, {open_after} after"
        cases.check(f"{name}, descriptors are given back", open_after <= open_before + KEPT, saw)


async def settled(lictor: Lictor, wanted: int) -> int:
    """Descriptors, once connections that were just left are noticed."""
    for _ in range(100):
        if (count := lictor.descriptors()) <= wanted:
            return count
        await asyncio.sleep(0.1)
    return lictor.descriptors()


async def reload(lictor: Lictor, until: float) -> int:
    """Rewrites the policy as soon as the last one is in force. Gives how often it came into force."""
    count = 0
    while time.monotonic() < until:
        lictor.rewrite()
        wanted, patience = count + 2, time.monotonic() + 20
        while await asyncio.to_thread(lictor.metric, "lictor_policy_generation") < wanted:
            if time.monotonic() > patience:
                return 0
            await asyncio.sleep(0.05)
        count += 1
    return count


async def stop(lictor: Lictor) -> tuple[traffic.Load, int]:
    """Load, and SIGTERM in the middle of it. Gives the exit code."""
    load = traffic.Load(lictor)
    load.start(traffic.AT_A_STOP)
    await asyncio.sleep(1.5)
    load.is_stopping = True
    lictor.process.send_signal(signal.SIGTERM)
    code = await asyncio.to_thread(lictor.process.wait, 60)
    await load.stop()
    return load, code


@contextlib.contextmanager
def agent():
    port = free_port()
    process = subprocess.Popen([sys.executable, HERE / "agent.py", str(port)])
    try:
        wait_for(port)
        yield port
    finally:
        process.kill()
        process.wait()


async def run(options, cases: Cases, home: pathlib.Path, port: int) -> None:
    started: list[Lictor] = []

    def start(tls: bool) -> Lictor:
        folder = home / str(len(started))
        started.append(Lictor(options.lictor, folder, port, tls=tls, scan=tls))
        return started[-1]

    try:
        if options.seconds:
            await soak(cases, [start(tls=False), start(tls=True)], options.seconds, options.pace)
        for number in range(options.stops):
            lictor = start(tls=number % 2 == 1)
            load, code = await stop(lictor)
            saw = (load.served, code, load.wrong[:5])
            name = f"stop {number + 1} {'over TLS' if lictor.tls else 'in plain text'}"
            cases.check(f"{name}, no request fails", code == 0 and not load.wrong, saw)
        if options.attacks:
            await attacks.run(cases, start(tls=True), options.attacks)
    finally:
        for lictor in started:
            lictor.kill()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--lictor", type=pathlib.Path, required=True)
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--pace", type=float, default=1)
    parser.add_argument("--stops", type=int, default=4)
    parser.add_argument("--attacks", type=int, default=0)
    options = parser.parse_args()
    cases = Cases()
    with tempfile.TemporaryDirectory() as home, agent() as port:
        asyncio.run(run(options, cases, pathlib.Path(home), port))
    print(f"{cases.passed} passed, {cases.failed} failed")
    return 1 if cases.failed else 0


if __name__ == "__main__":
    sys.exit(main())

"""Seconds and peak memory of a child process."""

import os
import pathlib
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "interop"))


def measured(command, **environment):
    """Runs a command; (seconds, peak memory in MB as the system counts it, file pages included)."""
    start = time.perf_counter()
    child = subprocess.Popen([str(c) for c in command], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, env={**os.environ, **environment})
    message = child.stderr.read()
    _, status, usage = os.wait4(child.pid, 0)
    seconds = time.perf_counter() - start
    assert status == 0, message.decode()[-2000:]
    return seconds, usage.ru_maxrss * 1024 / 1e6


def best_of(runs, command, **environment):
    """The fastest of several runs: the others were disturbed."""
    return min(measured(command, **environment) for _ in range(runs))

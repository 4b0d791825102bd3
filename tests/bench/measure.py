"""Seconds and peak memory of a child process."""

import json
import os
import pathlib
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "interop"))


def measured(command, **environment):
    """Runs a command; (seconds, peak memory in MB as the system counts it, file pages included).

    By way of a small process: Linux counts what a parent occupies at the fork into its child's peak.
    """
    small = [sys.executable, __file__, *map(str, command)]
    done = subprocess.run(small, capture_output=True, text=True, env={**os.environ, **environment})
    assert done.returncode == 0, done.stderr[-2000:]
    return tuple(json.loads(done.stdout.splitlines()[-1]))


def best_of(runs, command, **environment):
    """The fastest of several runs: the others were disturbed."""
    return min(measured(command, **environment) for _ in range(runs))


def main(command):
    start = time.perf_counter()
    child = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(child.pid, 0)
    seconds = time.perf_counter() - start
    if status != 0:
        sys.exit(1)
    print(json.dumps([seconds, usage.ru_maxrss * 1024 / 1e6]))


if __name__ == "__main__":
    main(sys.argv[1:])

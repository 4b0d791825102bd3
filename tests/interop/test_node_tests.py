"""ONNX's own node tests of the pinned onnx package, which go up to newer opsets than Debian's."""

import os
import pathlib
import subprocess

import onnx.backend.test

from runtimes import TERSE


def test_the_operators_pass_the_node_tests_of_newer_opsets():
    data = pathlib.Path(onnx.backend.test.__file__).parent / "data/node"
    program = TERSE.parent / "tests/calibration_tests"
    done = subprocess.run([str(program), "--test-suite=calibration/node"], env={**os.environ, "TERSE_NODE_TESTS": str(data)}, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-4000:]

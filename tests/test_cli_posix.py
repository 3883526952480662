"""The command line against signals, closed pipes, full disks and terminals."""

import json
import os
import pty
import re
import select
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from commands import EMBAUDIT, environment, run, run_code

ROWS, DIM = 4_000_000, 768


def start(command, **options):
    """Start `command` as a shell's foreground job: with SIGINT at its default."""
    return subprocess.Popen(
        command,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        **options,
    )


@pytest.fixture
def endless(tmp_path):
    """Return two files that take long to read and no space on disk."""
    header = {"descr": "<f4", "fortran_order": False, "shape": (ROWS, DIM)}
    for name in ("a.npy", "b.npy"):
        with (tmp_path / name).open("wb") as stream:
            np.lib.format.write_array_header_1_0(stream, header)
            stream.truncate(stream.tell() + 4 * ROWS * DIM)
    return tmp_path


@pytest.mark.parametrize(("signum", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_signal_ends_an_audit_at_once_and_leaves_nothing(endless, signum, status):
    process = start([*EMBAUDIT, "compare", "a.npy", "b.npy", "--output", "json=o"], cwd=endless)
    time.sleep(1.5)
    assert process.poll() is None
    sent = time.monotonic()
    process.send_signal(signum)
    stdout, stderr = process.communicate(timeout=10)
    assert time.monotonic() - sent < 1.0
    assert (process.returncode, stdout, stderr) == (status, "", "interrupted\n")
    assert sorted(os.listdir(endless)) == ["a.npy", "b.npy"]


def test_interrupt_does_not_wait_for_work_in_c():
    code = (
        "import numpy, sys\n"
        "from embaudit_cli.interrupt import *\n"
        "from embaudit_cli import interrupt as i\n"
        "matrix = numpy.random.default_rng(0).standard_normal((3000, 3000))\n"
        "i.raise_on_signals()\n"
        "print('ready', flush=True)\n"
        "try: i.in_background(lambda: numpy.linalg.svd(matrix))\n"
        "except i.Stopped as stopped: i.end_at_once(stopped)\n"
    )
    process = start([sys.executable, "-c", code])
    assert process.stdout.readline() == "ready\n"
    time.sleep(0.5)
    assert process.poll() is None
    sent = time.monotonic()
    process.send_signal(signal.SIGINT)
    _, stderr = process.communicate(timeout=10)
    assert time.monotonic() - sent < 1.0
    assert (process.returncode, stderr) == (130, "interrupted\n")


def test_interrupt_while_files_are_written_leaves_the_old_ones(tmp_path):
    """The signal comes between the first and the second file."""
    (tmp_path / "a.json").write_text("old")
    code = (
        "import os, signal, sys\n"
        "from sample_audits import sample_audit\n"
        "from embaudit.report.outputs import parse_outputs, write_outputs\n"
        "from embaudit_cli.interrupt import Stopped, end_at_once, raise_on_signals\n"
        "raise_on_signals()\n"
        "def interrupt_on_second_rename(event, args):\n"
        "    if event == 'os.rename' and str(args[1]).endswith('b.json'):\n"
        "        os.kill(os.getpid(), signal.SIGINT)\n"
        "sys.addaudithook(interrupt_on_second_rename)\n"
        "try: write_outputs(sample_audit('safe'), parse_outputs(sys.argv[1:]).files)\n"
        "except Stopped as stopped: end_at_once(stopped)\n"
    )
    files = [f"json={tmp_path / name}" for name in ("a.json", "b.json")]
    done = run_code(code, *files, preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL))
    assert (done.returncode, done.stderr) == (130, "interrupted\n")
    assert os.listdir(tmp_path) == ["a.json"]
    assert (tmp_path / "a.json").read_text() == "old"


def test_ignored_signals_stay_ignored():
    code = (
        "import os, signal\n"
        "signal.signal(signal.SIGINT, signal.SIG_IGN)\n"
        "from embaudit_cli.interrupt import raise_on_signals\n"
        "raise_on_signals()\n"
        "os.kill(os.getpid(), signal.SIGINT)\n"
        "print('went on')"
    )
    assert run_code(code).stdout == "went on\n"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("vectors")
    a = np.random.default_rng(0).standard_normal((300, 16)).astype(np.float32)
    np.save(path / "a.npy", a)
    np.save(path / "rotated.npy", np.roll(a, 1, axis=1))
    return path


@pytest.mark.parametrize("form", [[], ["--json"]])
def test_closed_pipe_keeps_the_status_of_the_gate(folder, form):
    reader, writer = os.pipe()
    os.close(reader)
    command = [*EMBAUDIT, "compare", "a.npy", "rotated.npy", *form]
    done = run(command, cwd=folder, capture_output=False, stdout=writer, stderr=subprocess.PIPE)
    os.close(writer)
    assert (done.returncode, done.stderr) == (1, "")


def test_full_disk_on_standard_output_is_an_error(folder):
    command = [*EMBAUDIT, "compare", "a.npy", "a.npy"]
    with open("/dev/full", "wb") as full:
        done = run(command, cwd=folder, capture_output=False, stdout=full, stderr=subprocess.PIPE)
    assert done.returncode == 2
    assert done.stderr == "error: standard output: No space left on device\n"


def test_closed_standard_output_is_an_error(folder):
    command = [*EMBAUDIT, "compare", "a.npy", "a.npy"]
    done = run(["sh", "-c", '"$@" >&-', "sh", *command], cwd=folder)
    assert done.returncode == 2
    assert "standard output is closed" in done.stderr


def test_name_that_is_not_utf8_is_kept(folder):
    odd = os.fsencode(folder) + b"/caf\xe9.npy"
    os.link(folder / "a.npy", odd)
    document = run([*EMBAUDIT, "compare", b"caf\xe9.npy", "a.npy", "--json"], cwd=folder)
    os.unlink(odd)
    assert json.loads(document.stdout)["a"]["uri"] == "caf\udce9.npy"


def on_terminal(code, term="xterm"):
    """Run Python source with standard error on a terminal, and return what it showed there."""
    terminal, side = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-c", code],
        env=environment(TERM=term),
        stdout=subprocess.DEVNULL,
        stderr=side,
    )
    os.close(side)
    shown = b""
    while process.poll() is None or select.select([terminal], [], [], 0)[0]:
        if select.select([terminal], [], [], 0.1)[0]:
            try:
                shown += os.read(terminal, 65536)
            except OSError:  # Linux reports the end of a terminal as an error
                break
    os.close(terminal)
    assert process.wait() == 0
    return shown.decode()


WORK = """
import time
from embaudit_cli.progress import with_progress
def work(progress):
    if progress is None: return
    progress.stage("moments", 4)
    for step in range(4):
        time.sleep({seconds})
        progress.advance()
with_progress(work, quiet={quiet})
"""


def test_progress_appears_for_work_that_lasts_and_is_removed():
    shown = on_terminal(WORK.format(seconds=0.35, quiet=False))
    assert "moments" in shown
    shares = [int(share) for share in re.findall(r"(\d+)%", shown)]
    assert shares == sorted(shares)
    assert 50 <= shares[-1] <= 100
    assert shown.endswith("\x1b[2K")


FORECAST = """
import time
from embaudit.datatypes import Forecast
from embaudit_cli.progress import with_progress
def work(progress):
    progress.begin(Forecast(1_000_000, (768, 384), {seconds}))
    for share in range(10):
        progress.stage("moments" if share < 5 else "neighbours", 5)
        progress.reach(share / 10, 90.0 - 10 * share)
        time.sleep(0.25)
with_progress(work, quiet=False)
"""


def test_one_bar_covers_the_whole_and_long_work_is_announced():
    shown = on_terminal(FORECAST.format(seconds=100))
    assert shown.startswith("1,000,000 x 768 + 384: about 2 min")
    shares = [int(share) for share in re.findall(r"(\d+)%", shown)]
    assert shares == sorted(shares)
    assert shares[-1] == 90
    assert "neighbours" in shown
    assert re.search(r"00:[0-4]\d left", shown)
    assert "about" not in on_terminal(FORECAST.format(seconds=9))


@pytest.mark.parametrize(
    ("seconds", "quiet", "term"),
    [(0.01, False, "xterm"), (0.3, True, "xterm"), (0.3, False, "dumb")],
)
def test_no_progress_for_short_work_quiet_or_a_dumb_terminal(seconds, quiet, term):
    assert on_terminal(WORK.format(seconds=seconds, quiet=quiet), term) == ""

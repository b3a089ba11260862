"""Worker processes end with the one that started them."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

PARENT = """
import time
from cellwright_envs.vector import processes

def work(lifeline):
    processes.end_with_parent(lifeline)
    while True:
        time.sleep(0.05)

if __name__ == "__main__":
    theirs, ours = processes.CONTEXT.Pipe(duplex=False)
    child = processes.CONTEXT.Process(target=work, args=(theirs,))
    child.start()
    theirs.close()
    print(child.pid, flush=True)
    time.sleep(60)
"""


def is_running(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    with open(f"/proc/{process}/stat") as file:  # a zombie has ended, whoever has to collect it
        return file.read().rsplit(")", 1)[1].split()[0] != "Z"


def test_a_worker_ends_with_a_parent_that_is_killed(tmp_path) -> None:
    script = tmp_path / "parent.py"
    script.write_text(PARENT)
    with subprocess.Popen([sys.executable, str(script)], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        worker = int(parent.stdout.readline())
        assert is_running(worker)
        parent.send_signal(signal.SIGKILL)
        parent.wait()
    deadline = time.monotonic() + 20
    while is_running(worker) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not is_running(worker)


LISTENING = """
import os, time

def work():
    print(os.getpid(), flush=True)
    time.sleep(0.5)
    print("still here", flush=True)
"""


def test_what_a_terminal_sends_does_not_reach_a_worker(tmp_path: Path) -> None:
    (tmp_path / "listening.py").write_text(LISTENING)
    program = "import listening\nfrom cellwright_envs.vector import processes\n" + (
        "child = processes.CONTEXT.Process(target=listening.work)\n"
        "with processes.plain_child_environment():\n    child.start()\nchild.join()\n"
    )
    environment = os.environ | {"PYTHONPATH": f"{tmp_path}:{os.environ.get('PYTHONPATH', '')}"}
    command = [sys.executable, "-c", program]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as parent:
        assert parent.stdout is not None
        worker = int(parent.stdout.readline())
        for number in (signal.SIGINT, signal.SIGHUP):
            os.kill(worker, number)
        assert parent.stdout.read() == "still here\n"

"""Pieces of a long measurement: each a few processes with a limit of time, whose result is kept in a file, so that a
measurement goes on where it was left. A piece that failed is kept as well, with what it said; delete its file to try again.
"""
import json
import os
import subprocess
import tempfile
import threading
import time
from pathlib import Path

SAID_MAX = 1500  # characters of what a failed process said


class DeviceWatch:
    """The most that all processes held of the first visible GPU since this began, by what nvidia-smi says ten times a second."""

    def __init__(self, gpu):
        self.readings, self.process = [], None
        first = threading.Event()
        if gpu is None:
            return
        command = ["nvidia-smi", "-i", gpu, "--query-gpu=memory.used", "--format=csv,noheader,nounits", "-lms", "100"]
        try:
            self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        except OSError:
            return
        threading.Thread(target=self._read, args=(first,), daemon=True).start()
        first.wait(timeout=5)

    def _read(self, first):
        for line in self.process.stdout:
            if line.strip().isdigit():
                self.readings.append(int(line) * 2**20)
                first.set()
        first.set()

    def end(self):
        """Returns: bytes, more than there were at first; None where nobody says."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
        return max(self.readings) - self.readings[0] if self.readings else None


def last_words(text):
    """What a failed process said, without the addresses that LibTorch adds."""
    return text.split("Exception raised from")[0].strip()[-SAID_MAX:]


def refuse_failed(started, folder):
    for i, process in enumerate(started):
        if process.poll() not in (None, 0):
            said = last_words(Path(folder, f"{i}.err").read_text(errors="replace"))
            raise RuntimeError(said or f"ended with {process.returncode} and said nothing")


def run_together(commands, environment, limit_s):
    """Returns: what each command printed on its last line, as JSON. Raises RuntimeError with what one that failed said."""
    deadline = time.monotonic() + limit_s
    with tempfile.TemporaryDirectory() as folder:
        started = []
        try:
            for i, command in enumerate(commands):
                with open(Path(folder, f"{i}.out"), "w") as out, open(Path(folder, f"{i}.err"), "w") as err:
                    started.append(subprocess.Popen([str(word) for word in command], stdin=subprocess.DEVNULL, stdout=out, stderr=err, env=environment))
            while any(process.poll() is None for process in started):
                if time.monotonic() > deadline:
                    raise RuntimeError(f"took more than {limit_s} s")
                refuse_failed(started, folder)  # the others may wait for it
                time.sleep(0.05)
            refuse_failed(started, folder)
            return [json.loads(Path(folder, f"{i}.out").read_text().splitlines()[-1]) for i in range(len(started))]
        finally:
            for process in started:
                if process.poll() is None:
                    process.kill()
                    process.wait()


class Pieces:
    """The results in a folder. run() makes a piece unless it is there."""

    def __init__(self, folder, seconds):
        self.folder, self.ends = folder, time.monotonic() + seconds
        self.made = 0
        folder.mkdir(parents=True, exist_ok=True)

    def result(self, name):
        """Returns: None for a piece that was not made."""
        file = self.folder / f"{name}.json"
        return json.loads(file.read_text()) if file.exists() else None

    def may_begin(self, limit_s):
        """One piece is made in any case, so that there is an end."""
        return self.made == 0 or time.monotonic() + limit_s <= self.ends

    def run(self, name, make):
        """Returns: the result of make(), or {"error": ...}; kept before this returns."""
        began = time.monotonic()
        try:
            result = make()
        except (RuntimeError, OSError, ValueError, IndexError) as e:
            result = {"error": str(e)}
        result["took_seconds"] = round(time.monotonic() - began, 1)
        unfinished = self.folder / f"{name}.unfinished"
        unfinished.write_text(json.dumps(result, indent=1))
        os.replace(unfinished, self.folder / f"{name}.json")
        self.made += 1
        return result

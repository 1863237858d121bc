"""Processes that take turns: each prints a line of JSON and waits for one on its standard input before it goes on."""
import json
import subprocess


class Failed(Exception):
    pass


class Process:
    """One side's training, a step at a time."""

    def __init__(self, name, command, environment, errors):
        self.name, self.errors = name, errors
        self.process = subprocess.Popen([str(word) for word in command], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors.open("w"), text=True, env=environment)
        self.first = self._line()

    def step(self):
        """Returns: what it tells when the step is done; after the last one, of its whole life."""
        try:
            print(file=self.process.stdin, flush=True)
        except BrokenPipeError:
            pass  # the line that does not come says it
        return self._line()

    def kill(self):
        self.process.kill()
        self.process.wait()

    def _line(self):
        for line in self.process.stdout:
            if line.startswith(("{}", '{"')):  # Trainer prints a dictionary of Python's
                return json.loads(line)
        raise Failed(f"{self.name} did not run (leave a rival out with --rivals), exit code {self.process.wait()}:\n{self.errors.read_text()[-2000:]}")

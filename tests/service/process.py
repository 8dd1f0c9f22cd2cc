"""`stride serve` as users start it: a process of its own, found by what it logs."""

import atexit
import os
import queue
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path

from tests.service.client import Client

STRIDE = str(Path(sys.executable).with_name("stride"))
_LISTENING = re.compile(r"listening url=([^\s\"]+)")


class ServiceProcess:
    """Starts the command on a free port and waits until it is ready."""

    def __init__(
        self,
        repository: Path,
        *arguments: str,
        program: Sequence[str] = (STRIDE,),
        **environment: str,
    ) -> None:
        command = [*program, "serve", "--repository", str(repository), "--port", "0", *arguments]
        self.process = subprocess.Popen(
            command, stderr=subprocess.PIPE, text=True, env=os.environ | environment
        )
        atexit.register(self.process.kill)  # one that a failed test has left
        self.log: list[str] = []
        self._came = threading.Condition()
        self._urls: queue.Queue[str] = queue.Queue()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        self.url = self._first_url()
        self.client = Client(self.url)

    def _first_url(self) -> str:
        try:
            url = self._urls.get(timeout=60)
        except queue.Empty:
            url = ""
        if not url:
            self.process.kill()
            self.process.wait()
            raise AssertionError(f"the service did not start:\n{self.text}")
        return url

    def wait_until_ready(self) -> "ServiceProcess":
        deadline = time.monotonic() + 60
        while self.client.get("/readyz").status != 200:
            assert self.process.poll() is None, self.text
            assert time.monotonic() < deadline, self.text
            time.sleep(0.02)
        return self

    def terminate(self) -> None:
        self.process.send_signal(signal.SIGTERM)

    def wait(self) -> int:
        """The exit code; everything logged is then in `log`."""
        code = self.process.wait(60)
        self._reader.join(10)
        return code

    def stop(self) -> int:
        if self.process.poll() is None:
            self.terminate()
        self.client.close()
        return self.wait()

    def line(self, text: str) -> str:
        """The first line logged with this in it; fails where none comes."""

        def found() -> str | None:
            return next((line for line in self.log if text in line), None)

        with self._came:
            line = self._came.wait_for(found, 20)
        assert line is not None, self.text
        return line

    @property
    def text(self) -> str:
        return "".join(self.log)

    def _read(self) -> None:
        assert self.process.stderr is not None
        with self.process.stderr as stream:
            for line in stream:
                with self._came:
                    self.log.append(line)
                    self._came.notify_all()
                if found := _LISTENING.search(line):
                    self._urls.put(found.group(1))
        self._urls.put("")

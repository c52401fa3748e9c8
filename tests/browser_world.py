"""A real browser for tests: headless Chromium, spoken to over two pipes (DevTools protocol)."""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Any, Self

CHROMIUM = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
)


class Browser:
    """One browser with one page; ends with its block."""

    def __init__(self) -> None:
        assert CHROMIUM is not None
        self._folder = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
        ours_in, theirs_out = os.pipe()
        theirs_in, ours_out = os.pipe()
        # Chromium reads commands from descriptor 3 and writes answers to 4.
        self._process = subprocess.Popen(
            # sh knows descriptors of one digit only
            ["bash", "-c", f'exec "$0" "$@" 3<&{theirs_in} 4>&{theirs_out}', CHROMIUM,
             "--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking",
             "--disable-component-update", "--disable-sync", "--no-first-run", "--hide-scrollbars",
             "--disable-dev-shm-usage", f"--user-data-dir={self._folder.name}",
             "--remote-debugging-pipe", "about:blank"],
            pass_fds=(theirs_in, theirs_out), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        os.close(theirs_in)
        os.close(theirs_out)
        self._in, self._out = os.fdopen(ours_in, "rb"), os.fdopen(ours_out, "wb")
        self._count, self._rest = 0, b""
        self.complaints: list[str] = []
        targets = self._call("Target.getTargets")["targetInfos"]
        page = next(each["targetId"] for each in targets if each["type"] == "page")
        attached = self._call("Target.attachToTarget", {"targetId": page, "flatten": True})
        self._session = attached["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:  # fmt: skip
        self._process.kill()
        self._process.wait()
        self._in.close()
        self._out.close()
        self._folder.cleanup()

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON
        """Tells the page to do something, and returns what it says."""
        return self._call(method, parameters, self._session)

    def size(self, width: int, height: int = 900, scale: float = 1) -> None:
        """Takes the screen of a device."""
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height,
                  deviceScaleFactor=scale, mobile=width < 600)  # fmt: skip

    def scripts(self, *, on: bool) -> None:
        """Lets pages run scripts, or not."""
        self.call("Emulation.setScriptExecutionDisabled", value=not on)

    def open(self, url: str) -> None:
        """Loads a page; what the browser complains about is kept in `complaints`."""
        self.complaints.clear()
        self._seen: list[str] = []
        self.call("Page.navigate", url=url)
        while "Page.loadEventFired" not in self._seen:
            self._hear(self._read())

    def run(self, script: str) -> Any:  # noqa: ANN401 - JSON
        """Returns what a script gives; the page's policy does not hold for it."""
        found = self.call(
            "Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True
        )
        assert "exceptionDetails" not in found, found
        return found["result"].get("value")

    def picture(self, file: Path) -> None:
        """Keeps the whole page as a picture."""
        shot = self.call("Page.captureScreenshot", captureBeyondViewport=True)
        file.write_bytes(base64.b64decode(shot["data"]))

    def whole(self, file: Path, width: int, scale: float = 1) -> None:
        """Keeps the page, as long as it is, as a picture."""
        self.size(width, 900, scale)
        height = int(self.run("document.documentElement.scrollHeight"))
        self.size(width, height, scale)
        self.picture(file)
        self.size(width, 900, scale)

    def _call(
        self, method: str, parameters: dict[str, Any] | None = None, session: str = ""
    ) -> dict[str, Any]:
        self._count += 1
        number = self._count
        body: dict[str, Any] = {"id": number, "method": method, "params": parameters or {}}
        if session:
            body["sessionId"] = session
        self._out.write(json.dumps(body).encode() + b"\0")
        self._out.flush()
        while True:
            message = self._read()
            if message.get("id") == number:
                assert "error" not in message, message
                result: dict[str, Any] = message["result"]
                return result
            self._hear(message)

    def _read(self) -> dict[str, Any]:
        while b"\0" not in self._rest:
            more = os.read(self._in.fileno(), 1 << 16)
            assert more, "the browser has gone"
            self._rest += more
        line, _, self._rest = self._rest.partition(b"\0")
        message: dict[str, Any] = json.loads(line)
        return message

    def _hear(self, message: dict[str, Any]) -> None:
        method, said = message.get("method", ""), message.get("params", {})
        getattr(self, "_seen", []).append(method)
        if method == "Log.entryAdded" and said["entry"]["level"] in {"error", "warning"}:
            self.complaints.append(said["entry"]["text"])
        if method == "Runtime.exceptionThrown":
            self.complaints.append(json.dumps(said["exceptionDetails"])[:400])
        if method == "Page.javascriptDialogOpening":
            self.complaints.append(f"dialog: {said['message']}")
            self._dialog = True

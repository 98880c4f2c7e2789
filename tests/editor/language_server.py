"""A client of a language server over its standard streams: just what an editor asks while somebody types."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any, NamedTuple

Message = dict[str, Any]


class Mark(NamedTuple):
    """A diagnostic: where it begins (lines and columns from 1), the text that it is under, its message."""

    line: int
    column: int
    text: str
    message: str


class LanguageServer:
    """A running server with one workspace folder. `with` ends it."""

    def __init__(self, command: list[str], folder: Path) -> None:
        self.folder = folder
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self._sent = 0
        self._published: dict[str, list[Message]] = {}
        self._initialize()

    def __enter__(self) -> LanguageServer:
        return self

    def __exit__(self, *_: object) -> None:
        self.request("shutdown", None)
        self.notify("exit", None)
        self._process.communicate(timeout=30)

    def open(self, name: str, text: str) -> str:
        """Open a document, as if it had been typed into an editor, and return its address."""
        uri = (self.folder / name).as_uri()
        document = {"uri": uri, "languageId": "yaml", "version": 1, "text": text}
        self.notify("textDocument/didOpen", {"textDocument": document})
        return uri

    def marks(self, name: str, text: str) -> list[Mark]:
        """Return what the server marks in a document."""
        uri = self.open(name, text)
        while uri not in self._published:
            self._take(self._read())
        lines = text.splitlines()
        return [_mark(diagnostic, lines) for diagnostic in self._published.pop(uri)]

    def completions(self, name: str, text: str) -> dict[str, str]:
        """Return what is offered at the `|` in `text`, by label, with its documentation."""
        found = self._at_cursor("textDocument/completion", name, text)
        return {item["label"]: _plain(item.get("documentation")) for item in found["items"]}

    def hover(self, name: str, text: str) -> str:
        """Return what is shown over the `|` in `text`."""
        found = self._at_cursor("textDocument/hover", name, text)
        return _plain(found["contents"]) if found else ""

    def request(self, method: str, params: Any) -> Any:
        """Ask, and return the result, whatever else the server says meanwhile."""
        self._sent += 1
        number = self._sent
        self._write({"id": number, "method": method, "params": params})
        while True:
            message = self._read()
            if message.get("id") == number and "method" not in message:
                assert "error" not in message, message["error"]
                return message["result"]
            self._take(message)

    def notify(self, method: str, params: Any) -> None:
        """Tell the server something."""
        self._write({"method": method, "params": params})

    def _initialize(self) -> None:
        completion = {"completionItem": {"snippetSupport": True, "documentationFormat": ["markdown", "plaintext"]}}
        text = {"completion": completion, "hover": {"contentFormat": ["markdown"]}, "publishDiagnostics": {}}
        folder = {"uri": self.folder.as_uri(), "name": self.folder.name}
        asked = {"processId": None, "rootUri": folder["uri"], "workspaceFolders": [folder]}
        self.request(
            "initialize", {**asked, "capabilities": {"textDocument": text, "workspace": {"configuration": True}}}
        )
        self.notify("initialized", {})

    def _at_cursor(self, method: str, name: str, text: str) -> Any:
        before, bar, after = text.partition("|")
        assert bar, "the text has a cursor"
        uri = self.open(name, before + after)
        position = {"line": before.count("\n"), "character": len(before.rpartition("\n")[2])}
        return self.request(method, {"textDocument": {"uri": uri}, "position": position})

    def _take(self, message: Message) -> None:
        """Note diagnostics, and answer what the server asks: its settings are the default ones."""
        if message.get("method") == "textDocument/publishDiagnostics":
            self._published[message["params"]["uri"]] = message["params"]["diagnostics"]
        elif "id" in message and "method" in message:
            items = (message.get("params") or {}).get("items", [])
            self._write({"id": message["id"], "result": [SETTINGS.get(item.get("section")) for item in items]})

    def _write(self, message: Message) -> None:
        body = json.dumps({"jsonrpc": "2.0", **message}).encode()
        assert self._process.stdin is not None
        self._process.stdin.write(b"Content-Length: %d\r\n\r\n%s" % (len(body), body))
        self._process.stdin.flush()

    def _read(self) -> Message:
        assert self._process.stdout is not None
        length = 0
        while (line := self._process.stdout.readline().strip()) or not length:
            assert line or self._process.poll() is None, "the server has ended"
            name, _, value = line.partition(b":")
            length = int(value) if name.lower() == b"content-length" else length
        message: Message = json.loads(self._process.stdout.read(length))
        return message


SETTINGS = {"yaml": {"validate": True, "hover": True, "completion": True, "schemaStore": {"enable": False}}}
"""Without the public store of schemas, which would be looked up on the network."""


def _mark(diagnostic: Message, lines: list[str]) -> Mark:
    start, end = diagnostic["range"]["start"], diagnostic["range"]["end"]
    line = lines[start["line"]]
    stop = end["character"] if end["line"] == start["line"] else len(line)
    return Mark(start["line"] + 1, start["character"] + 1, line[start["character"] : stop], diagnostic["message"])


def _plain(text: Any) -> str:
    return text.get("value", "") if isinstance(text, dict) else text or ""

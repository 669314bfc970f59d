"""Starts and stops a server for the chosen model, and shows how to reach it."""

from __future__ import annotations

import json
import sys

from PySide6.QtCore import QProcess, QProcessEnvironment, QTimer, QUrl, Signal
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QHBoxLayout, QLineEdit, QPushButton, QSpinBox, QVBoxLayout, QWidget

from ui.widgets.badge import Badge
from ui.widgets.card import label, restyle
from workbench.home import Home
from workbench.jobs.exits import words
from workbench.library.records import ModelRecord

_LOOK_MS = 1000
_PATIENCE_MS = 15_000
_SHOWN = (
    ("tenfold_requests_active", "requests under way"),
    ("tenfold_generated_tokens_total", "tokens generated"),
    ("tenfold_tokens_per_second", "tokens/s"),
)


class ServePanel(QWidget):
    """See the module. The server is `tenfold serve` in a process of its own.

    Signals:
        copied: Something is in the clipboard now; carries what, in a word.
    """

    copied = Signal(str)

    def __init__(self, home: Home, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._home = home
        self._record: ModelRecord | None = None
        self._process: QProcess | None = None
        self._said = b""
        self._look = QTimer(self)
        self._look.setInterval(_LOOK_MS)
        self._look.timeout.connect(self._ask_figures)
        self._network: object | None = None
        self._state = Badge("stopped")
        self.button = QPushButton("Start")
        self.button.setProperty("variant", "primary")
        self.button.setAccessibleName("Start or stop the server")
        self.button.clicked.connect(self._pressed)
        self._places = QSpinBox()
        self._places.setRange(1, 64)
        self._places.setValue(4)
        self._places.setAccessibleName("Requests at once")
        self._url = self._field("Base URL")
        self._token = self._field("Token")
        self._token.setEchoMode(QLineEdit.EchoMode.Password)
        self._figures = label("", "caption", wrap=True)
        self._trouble = label("", "caption", wrap=True)
        self._trouble.setProperty("tone", "bad")
        head = QHBoxLayout()
        head.addWidget(self._state)
        head.addStretch(1)
        head.addWidget(self.button)
        places = QHBoxLayout()
        places.addWidget(label("Requests at once", "caption"), 1)
        places.addWidget(self._places)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 8, 6, 0)
        column.setSpacing(8)
        column.addWidget(
            label("Offers the chosen model to any OpenAI client on this machine alone.", "caption", wrap=True)
        )
        column.addLayout(head)
        column.addLayout(places)
        for title, field in (("Base URL", self._url), ("Token", self._token)):
            copy = QPushButton("Copy")
            copy.setProperty("variant", "quiet")
            copy.setAccessibleName(f"Copy the {title}")
            copy.clicked.connect(lambda _on=False, title=title, field=field: self._copy(title, field))
            row = QHBoxLayout()
            row.addWidget(field, 1)
            row.addWidget(copy)
            column.addWidget(label(title, "caption"))
            column.addLayout(row)
        column.addWidget(self._figures)
        column.addWidget(self._trouble)
        column.addStretch(1)
        self._show()

    @property
    def url(self) -> str:
        """Where the server listens; empty while it does not."""
        return self._url.text()

    @property
    def token(self) -> str:
        """What clients must send; empty while there is no server."""
        return self._token.text()

    def set_model(self, record: ModelRecord | None) -> None:
        """Which model a server would offer; one that runs goes on with its own."""
        self._record = record
        self._show()

    def start(self) -> None:
        """Start a server for the chosen model."""
        if self._record is None or self._process is not None:
            return
        process = QProcess(self)
        environment = QProcessEnvironment.systemEnvironment()
        environment.insert("PYTHONIOENCODING", "utf-8")
        process.setProcessEnvironment(environment)
        process.readyReadStandardOutput.connect(self._read)
        process.finished.connect(self._ended)
        self._process, self._said = process, b""
        self._trouble.setText("")
        arguments = ["-m", "workbench", "--home", str(self._home.root), "serve", self._record.id]
        process.start(
            sys.executable,
            [*arguments, "--port", "0", "--parallel", str(self._places.value()), "--preload", "--json"],
        )
        self._show()

    def stop(self) -> None:
        """Stop the server, and wait until it and its engines are gone."""
        process, self._process = self._process, None
        self._look.stop()
        if process is not None:
            process.readyReadStandardOutput.disconnect(self._read)
            process.finished.disconnect(self._ended)
            if sys.platform == "win32":
                # Windows has no request to end that a console program would hear; its engines end with it.
                process.kill()
            else:
                process.terminate()
            if not process.waitForFinished(_PATIENCE_MS):
                process.kill()
                process.waitForFinished(2000)
            process.deleteLater()
        self._url.clear()
        self._token.clear()
        self._figures.setText("")
        self._show()

    def _field(self, name: str) -> QLineEdit:
        field = QLineEdit()
        field.setReadOnly(True)
        field.setAccessibleName(name)
        field.setPlaceholderText("—")
        return field

    def _pressed(self) -> None:
        if self._process is None:
            self.start()
        else:
            self.stop()

    def _read(self) -> None:
        if self._process is None:
            return
        self._said += self._process.readAllStandardOutput().data()
        line, end, _rest = self._said.partition(b"\n")
        if not end or self.url:
            return
        said = json.loads(line)
        if "error" in said:
            self._trouble.setText(f"{said['error']['message']} {said['error']['remedy']}")
            return
        self._url.setText(f"{said['url']}/v1")
        self._token.setText(said["token"])
        self._look.start()
        self._show()

    def _ended(self, code: int) -> None:
        process, self._process = self._process, None
        self._look.stop()
        if process is not None:
            last = process.readAllStandardError().data().decode("utf-8", "replace").strip().splitlines()
            if not self._trouble.text():
                self._trouble.setText(last[-1] if last else f"The server ended: {words(code)}.")
            process.deleteLater()
        self._url.clear()
        self._token.clear()
        self._show()

    def _show(self) -> None:
        running = self._process is not None
        ready = bool(self.url)
        self._state.setText("serving" if ready else "starting" if running else "stopped")
        self._state.set_tone("good" if ready else "accent" if running else "neutral")
        self.button.setText("Stop" if running else "Start")
        self.button.setProperty("variant", "" if running else "primary")
        restyle(self.button)
        self.button.setEnabled(running or self._record is not None)
        self._places.setEnabled(not running)

    def _ask_figures(self) -> None:
        # Qt's network classes take a while to load; a window that serves nothing does without.
        from PySide6.QtNetwork import QNetworkAccessManager, QNetworkReply, QNetworkRequest

        if not isinstance(self._network, QNetworkAccessManager):
            self._network = QNetworkAccessManager(self)
        request = QNetworkRequest(QUrl(f"{self.url.removesuffix('/v1')}/metrics"))
        request.setRawHeader(b"Authorization", f"Bearer {self.token}".encode())
        reply = self._network.get(request)

        def take() -> None:
            if reply.error() == QNetworkReply.NetworkError.NoError:
                self._figures.setText(_figures(reply.readAll().data().decode("utf-8", "replace")))
            reply.deleteLater()

        reply.finished.connect(take)

    def _copy(self, title: str, field: QLineEdit) -> None:
        if field.text():
            QGuiApplication.clipboard().setText(field.text())
            self.copied.emit(f"The {title}")


def _figures(text: str) -> str:
    """The few figures that the panel shows, from the server's own.

    >>> _figures('tenfold_requests_active 2.0')
    '2 requests under way'
    """
    found = []
    for name, title in _SHOWN:
        values = [float(line.split()[-1]) for line in text.splitlines() if line.startswith(name)]
        if values:
            found.append(f"{sum(values):.0f} {title}")
    return " · ".join(found)

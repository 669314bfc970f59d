"""One window for each home: a second start asks the first window to come forward."""

from __future__ import annotations

import hashlib

from PySide6.QtCore import QObject, Signal
from PySide6.QtNetwork import QLocalServer, QLocalSocket

from workbench.home import Home

_WAIT_MS = 1500
_RAISE = b"raise\n"


class FirstInstance(QObject):
    """Listens, on a name that only this person's processes can reach, for later starts.

    Signals:
        raise_wanted: A later start asks the window to come forward.
    """

    raise_wanted = Signal()

    def __init__(self, home: Home, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._server = QLocalServer(self)
        self._server.setSocketOptions(QLocalServer.SocketOption.UserAccessOption)
        self._server.newConnection.connect(self._take)
        self._callers: list[QLocalSocket] = []
        # Whoever holds the home's lock is the first: what a crashed one left behind is swept away.
        QLocalServer.removeServer(server_name(home))
        self._server.listen(server_name(home))

    def close(self) -> None:
        self._server.close()
        self._forget_gone(everyone=True)

    def _take(self) -> None:
        self._forget_gone()
        while (caller := self._server.nextPendingConnection()) is not None:
            self._callers.append(caller)
            caller.readyRead.connect(self._read)
        self._read()

    def _read(self) -> None:
        for caller in self._callers:
            if caller.bytesAvailable() and caller.readAll().data() == _RAISE:
                self.raise_wanted.emit()
                caller.write(b"raised\n")
                caller.flush()

    def _forget_gone(self, *, everyone: bool = False) -> None:
        # Not by deleteLater from a socket's own signal: the server deletes its sockets too.
        gone = QLocalSocket.LocalSocketState.UnconnectedState
        self._callers = [each for each in self._callers if not everyone and each.state() is not gone]


def ask_first_to_raise(home: Home) -> bool:
    """Whether a window of this home answered that it comes forward."""
    socket = QLocalSocket()
    socket.connectToServer(server_name(home))
    if not socket.waitForConnected(_WAIT_MS):
        return False
    socket.write(_RAISE)
    socket.waitForBytesWritten(_WAIT_MS)
    answered = socket.waitForReadyRead(_WAIT_MS)
    socket.abort()
    return answered


def is_window_there(home: Home) -> bool:
    """Whether a window listens for this home; a command may hold it without one."""
    socket = QLocalSocket()
    socket.connectToServer(server_name(home))
    there = socket.waitForConnected(_WAIT_MS)
    socket.abort()
    return there


def server_name(home: Home) -> str:
    """Short: a socket's path may have about a hundred letters."""
    return "tenfold-" + hashlib.sha256(str(home.root).encode("utf-8", "surrogateescape")).hexdigest()[:20]

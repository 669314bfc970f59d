"""The hub's token: whether one is kept in the system's keyring, and the way to put one there or away."""

from __future__ import annotations

import os

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QDialog, QHBoxLayout, QLineEdit, QPushButton, QVBoxLayout, QWidget

from ui.widgets.badge import Badge
from ui.widgets.card import label
from workbench import secrets
from workbench.errors import WorkbenchError


class TokenRow(QWidget):
    """Never shows the token itself.

    Signals:
        told: Something to tell: its kind and the sentence.
    """

    told = Signal(str, str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.state = Badge("not looked up", "neutral")
        self.set_button = QPushButton("Set…")
        self.set_button.setAccessibleName("Set the hub token")
        self.remove_button = QPushButton("Remove")
        self.remove_button.setAccessibleName("Remove the hub token from the keyring")
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(8)
        row.addWidget(self.state)
        row.addWidget(self.set_button)
        row.addWidget(self.remove_button)
        self.set_button.clicked.connect(self._ask)
        self.remove_button.clicked.connect(self._forget)
        self.remove_button.hide()

    def refresh(self) -> None:
        """Look whether there is a token. The keyring may ask the person to unlock it first."""
        from_environment = bool(os.environ.get("HF_TOKEN"))
        there = from_environment or secrets.get("hf-token") is not None
        self.state.setText("set by HF_TOKEN" if from_environment else "set" if there else "not set")
        self.state.set_tone("good" if there else "neutral")
        self.set_button.setText("Replace…" if there else "Set…")
        self.set_button.setEnabled(not from_environment)
        self.set_button.setToolTip(
            "HF_TOKEN in the environment wins over the keyring" if from_environment else ""
        )
        self.remove_button.setVisible(there and not from_environment)

    def keep(self, token: str) -> None:
        """Put a token into the keyring."""
        try:
            secrets.set("hf-token", token)
        except WorkbenchError as error:
            self.told.emit("bad", str(error))
            return
        self.refresh()
        self.told.emit("good", "The token is in the system’s keyring.")

    def _forget(self) -> None:
        try:
            secrets.delete("hf-token")
        except WorkbenchError as error:
            self.told.emit("bad", str(error))
            return
        self.refresh()
        self.told.emit("good", "The token is no longer in the system’s keyring.")

    def _ask(self) -> None:
        dialog = TokenDialog(self)
        if dialog.exec() == QDialog.DialogCode.Accepted:
            self.keep(dialog.token)
        dialog.deleteLater()


class TokenDialog(QDialog):
    """Asks for a token without showing it."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle("Hub token")
        self.setMinimumWidth(440)
        self.field = QLineEdit()
        self.field.setEchoMode(QLineEdit.EchoMode.Password)
        self.field.setPlaceholderText("hf_…")
        self.field.setAccessibleName("Hub token")
        self.keep_button = QPushButton("Keep in the keyring")
        self.keep_button.setProperty("variant", "primary")
        self.keep_button.setDefault(True)
        self.keep_button.setEnabled(False)
        cancel = QPushButton("Cancel")
        cancel.clicked.connect(self.reject)
        self.keep_button.clicked.connect(self.accept)
        self.field.textChanged.connect(lambda text: self.keep_button.setEnabled(bool(text.strip())))
        row = QHBoxLayout()
        row.setSpacing(8)
        row.addStretch(1)
        row.addWidget(cancel)
        row.addWidget(self.keep_button)
        column = QVBoxLayout(self)
        column.setContentsMargins(24, 20, 24, 20)
        column.setSpacing(12)
        column.addWidget(label("Hub token", "section"))
        column.addWidget(
            label(
                "Only gated and private models need one. It is kept in the system’s keyring and sent to the "
                "hub alone; it is never written to a file, a log or a script.",
                "second",
                wrap=True,
            )
        )
        column.addWidget(self.field)
        column.addLayout(row)

    @property
    def token(self) -> str:
        return self.field.text().strip()

"""The style sheet of the window, made from the tokens."""

from __future__ import annotations

from string import Template

from ui.assets import STYLE
from ui.tokens import Tokens


def style_sheet(tokens: Tokens) -> str:
    """Qt's style sheet for these colours."""
    names = {name: getattr(tokens, name) for name in Tokens.__slots__}
    side = "dark" if tokens.is_dark else "light"
    pictures = {
        f"{name.replace('-', '_')}_picture": (STYLE / f"{name}-{side}.svg").as_posix()
        for name in ("check", "dash", "dot", "down", "down-on", "up", "right", "close")
    }
    return "\n".join(Template(part).substitute(names | pictures) for part in _PARTS)


_TEXT = """
* { outline: 0; }
QWidget#window, QDialog, QMessageBox { background: $window; }
QScrollArea, QScrollArea > QWidget > QWidget, QStackedWidget { background: transparent; }
QLabel { background: transparent; color: $text; }
QLabel:disabled { color: $faint; }
QLabel[role="title"] { font-size: 22px; font-weight: 600; }
QLabel[role="section"] { font-size: 15px; font-weight: 600; }
QLabel[role="body"] { font-size: 13px; }
QLabel[role="second"] { font-size: 13px; color: $second; }
QLabel[role="caption"] { font-size: 12px; color: $second; }
QLabel[role="figure"] { font-size: 26px; font-weight: 600; }
QLabel[tone="good"] { color: $good; }
QLabel[tone="warn"] { color: $warn; }
QLabel[tone="bad"] { color: $bad; }
QLabel[badge] {
    font-size: 12px; font-weight: 500; border-radius: 6px; padding: 2px 7px;
    background: $raised; color: $second;
}
QLabel[badge="accent"] { background: $accent_soft; color: $accent; }
QLabel[badge="good"] { color: $good; }
QLabel[badge="warn"] { color: $warn; }
QLabel[badge="bad"] { color: $bad; }
QFrame[card="true"] { background: $card; border: 1px solid $line; border-radius: 10px; }
QFrame[bar="true"] { background: $rail; border: none; }
QFrame#rail { background: $rail; border: none; border-right: 1px solid $line; }
QFrame#strip { background: $rail; border: none; border-bottom: 1px solid $line; }
QFrame#drawer { background: $card; border: none; border-top: 1px solid $line; }
QFrame#toast { background: $raised; border: 1px solid $line; border-radius: 10px; }
QFrame#sheet { background: $card; border: 1px solid $line; border-radius: 12px; }
QFrame[message] {
    background: $raised; border: 1px solid $line; border-left: 3px solid $second; border-radius: 8px;
}
QFrame[message="good"] { border-left-color: $good; }
QFrame[message="warn"] { border-left-color: $warn; }
QFrame[message="bad"] { border-left-color: $bad; }
QFrame[message="info"] { border-left-color: $accent; }
QToolTip {
    background: $raised; color: $text; border: 1px solid $line; padding: 5px 8px; font-size: 12px;
}
"""

_BUTTONS = """
QPushButton, QToolButton {
    background: $raised; color: $text; border: 1px solid $line; border-radius: 8px;
    padding: 6px 13px; min-height: 18px; font-weight: 500;
}
QPushButton:hover, QToolButton:hover { border-color: $faint; }
QPushButton:pressed, QToolButton:pressed { background: $line; }
QPushButton:focus, QToolButton:focus { border: 2px solid $accent; padding: 5px 12px; }
QPushButton:disabled, QToolButton:disabled { color: $faint; border-color: $line; }
QPushButton[variant="primary"] {
    background: $accent; color: $on_accent; border-color: $accent; font-weight: 600;
}
QPushButton[variant="primary"]:hover { border-color: $text; }
QPushButton[variant="primary"]:focus { border: 2px solid $text; }
QPushButton[variant="primary"]:disabled { background: $raised; color: $faint; border-color: $line; }
QPushButton[variant="danger"] { color: $bad; border-color: $bad; }
QPushButton[variant="danger"]:hover { background: $bad; color: $on_bad; }
QPushButton[variant="danger"]:focus { border: 2px solid $bad; background: $raised; color: $bad; }
QPushButton[variant="quiet"], QToolButton[variant="quiet"] {
    background: transparent; border-color: transparent; color: $second; padding: 5px 9px;
}
QPushButton[variant="quiet"]:hover, QToolButton[variant="quiet"]:hover { background: $raised; color: $text; }
QPushButton[variant="quiet"]:checked { background: $accent_soft; color: $accent; }
QPushButton[variant="quiet"]:focus, QToolButton[variant="quiet"]:focus {
    border: 2px solid $accent; padding: 4px 8px;
}
QPushButton[variant="quiet"]:disabled { color: $faint; background: transparent; }
QPushButton[toggle="true"]:checked { background: $accent_soft; color: $accent; border-color: $accent; }
QPushButton[segment="true"] { padding: 4px 8px; font-size: 12px; border-radius: 7px; min-height: 16px; }
QPushButton[link="true"] { text-align: left; color: $text; padding: 4px 6px; font-weight: 500; }
QPushButton[link="true"]:focus { padding: 3px 5px; }
QPushButton[segment="true"]:focus { padding: 3px 7px; }
QPushButton[chip="true"] { padding: 2px 8px; font-size: 12px; border-radius: 9px; min-height: 16px; }
QPushButton[chip="true"]:focus { padding: 1px 7px; }
QPushButton::menu-indicator { image: url("$down_picture"); width: 12px; height: 12px;
    subcontrol-origin: padding; subcontrol-position: right center; right: 7px; }
QPushButton[variant="primary"]::menu-indicator { image: url("$down_on_picture"); }
QPushButton[menu="true"] { padding-right: 24px; }
QToolButton { padding: 5px 10px; min-height: 17px; }
QToolButton:focus { padding: 4px 9px; }
QToolButton:checked { background: $accent_soft; color: $accent; }
QToolButton[autoRaise="true"] { background: transparent; border-color: transparent; color: $second; }
QToolButton[autoRaise="true"]:hover { background: $raised; color: $text; }
QToolButton[autoRaise="true"]:focus { border: 2px solid $accent; }
QToolButton[autoRaise="true"] { padding: 4px 8px; }
QToolButton[autoRaise="true"]:focus { padding: 3px 7px; }
QToolButton[bare="true"] { padding: 0; min-height: 0; border-radius: 6px; }
QToolButton[bare="true"]:focus { padding: 0; }
QToolButton::menu-indicator { image: none; }
QToolButton[popupMode="1"] { padding-right: 24px; }
QToolButton::menu-button { border: none; width: 18px; }
QToolButton::menu-arrow { image: url("$down_picture"); width: 12px; height: 12px; }
QPushButton[rail="true"] {
    background: transparent; border: 1px solid transparent; border-radius: 8px; color: $second;
    text-align: left; padding: 8px 10px; font-weight: 500;
}
QPushButton[rail="true"]:hover { background: $raised; color: $text; }
QPushButton[rail="true"]:checked { background: $accent_soft; color: $text; font-weight: 600; }
QPushButton[rail="true"]:focus { border: 2px solid $accent; padding: 7px 9px; }
QCheckBox, QRadioButton { color: $text; spacing: 8px; background: transparent; padding: 2px; }
QCheckBox:disabled, QRadioButton:disabled { color: $faint; }
QCheckBox::indicator, QRadioButton::indicator {
    width: 16px; height: 16px; border: 1px solid $faint; border-radius: 5px; background: $card;
}
QRadioButton::indicator { border-radius: 9px; }
QCheckBox::indicator:hover, QRadioButton::indicator:hover { border-color: $second; }
QCheckBox::indicator:checked { background: $accent; border-color: $accent; image: url("$check_picture"); }
QCheckBox::indicator:indeterminate {
    background: $accent; border-color: $accent; image: url("$dash_picture");
}
QRadioButton::indicator:checked { background: $accent; border-color: $accent; image: url("$dot_picture"); }
QCheckBox::indicator:disabled, QRadioButton::indicator:disabled { background: $raised; border-color: $line; }
QCheckBox:focus, QRadioButton:focus { border: 2px solid $accent; border-radius: 7px; padding: 0px; }
"""

_INPUTS = """
QLineEdit, QComboBox, QSpinBox, QDoubleSpinBox, QDateEdit, QPlainTextEdit, QTextEdit, QKeySequenceEdit {
    background: $raised; color: $text; border: 1px solid $line; border-radius: 8px;
    padding: 6px 10px; min-height: 18px;
    selection-background-color: $accent; selection-color: $on_accent;
}
QLineEdit:hover, QComboBox:hover, QSpinBox:hover, QDoubleSpinBox:hover,
QPlainTextEdit:hover, QTextEdit:hover { border-color: $faint; }
QLineEdit:focus, QComboBox:focus, QSpinBox:focus, QDoubleSpinBox:focus,
QPlainTextEdit:focus, QTextEdit:focus { border: 2px solid $accent; padding: 5px 9px; }
QLineEdit[invalid="true"], QComboBox[invalid="true"], QSpinBox[invalid="true"],
QDoubleSpinBox[invalid="true"], QPlainTextEdit[invalid="true"] { border: 2px solid $bad; padding: 5px 9px; }
QLineEdit:disabled, QComboBox:disabled, QSpinBox:disabled, QDoubleSpinBox:disabled,
QPlainTextEdit:disabled { color: $faint; background: $card; }
QLineEdit:read-only { background: $card; }
QTextBrowser#message-text, QTextBrowser#message-text:focus, QTextBrowser#message-text:hover {
    background: transparent; border: none; padding: 0;
}
QPlainTextEdit#system-prompt { min-height: 52px; }
QComboBox { padding-right: 26px; }
QComboBox:focus { padding-right: 25px; }
QComboBox QLineEdit, QComboBox QLineEdit:focus, QAbstractSpinBox QLineEdit, QAbstractSpinBox QLineEdit:focus {
    border: none; background: transparent; padding: 0; min-height: 0;
}
QComboBox::drop-down {
    border: none; width: 24px; subcontrol-origin: border; subcontrol-position: right center;
}
QComboBox::down-arrow { image: url("$down_picture"); width: 12px; height: 12px; }
QComboBox QAbstractItemView {
    background: $card; color: $text; border: 1px solid $line; padding: 4px; outline: 0;
    selection-background-color: $accent_soft; selection-color: $text;
}
QComboBox QAbstractItemView::item { min-height: 26px; padding: 0 6px; border-radius: 6px; }
QSpinBox, QDoubleSpinBox { padding: 6px 22px 6px 0; min-height: 18px; max-height: 18px; }
QSpinBox:focus, QDoubleSpinBox:focus { padding: 5px 21px 5px 0; }
QSpinBox::up-button, QDoubleSpinBox::up-button, QSpinBox::down-button, QDoubleSpinBox::down-button {
    border: none; background: transparent; width: 20px; subcontrol-origin: border; height: 13px;
}
QSpinBox::up-button, QDoubleSpinBox::up-button { subcontrol-position: top right; margin: 2px 2px 0 0; }
QSpinBox::down-button, QDoubleSpinBox::down-button { subcontrol-position: bottom right; margin: 0 2px 2px 0; }
QSpinBox::up-arrow, QDoubleSpinBox::up-arrow { image: url("$up_picture"); width: 11px; height: 11px; }
QSpinBox::down-arrow, QDoubleSpinBox::down-arrow { image: url("$down_picture"); width: 11px; height: 11px; }
QSlider::groove:horizontal { height: 4px; border-radius: 2px; background: $line; }
QSlider::sub-page:horizontal { background: $accent; border-radius: 2px; }
QSlider::handle:horizontal {
    width: 14px; margin: -6px 0; border-radius: 7px; background: $accent; border: 1px solid $card;
}
QProgressBar { background: $line; border: none; border-radius: 3px; max-height: 6px; color: transparent; }
QProgressBar::chunk { background: $accent; border-radius: 3px; }
"""

_VIEWS = """
QListView, QTreeView, QTableView, QTableWidget, QListWidget, QTreeWidget {
    background: transparent; color: $text; border: none; outline: 0; gridline-color: $line;
    selection-background-color: $accent_soft; selection-color: $text; alternate-background-color: $raised;
}
QListView:focus, QTreeView:focus, QTableView:focus { border: none; }
QTableView::item, QTreeView::item { padding: 4px 6px; }
QTableView::item:selected, QTreeView::item:selected, QListView::item:selected {
    background: $accent_soft; color: $text;
}
QListWidget#history::item { padding: 6px 8px; border-radius: 6px; }
QListWidget#history:focus { border: 1px solid $accent; border-radius: 6px; }
QTableView::item:focus, QTreeView::item:focus { border: 1px solid $accent; }
QHeaderView { background: transparent; border: none; }
QHeaderView::section {
    background: transparent; color: $second; border: none; border-bottom: 1px solid $line;
    padding: 6px 8px; font-size: 12px; font-weight: 500;
}
QHeaderView::down-arrow { image: url("$down_picture"); width: 10px; height: 10px; }
QHeaderView::up-arrow { image: url("$up_picture"); width: 10px; height: 10px; }
QTableCornerButton::section { background: transparent; border: none; }
QScrollBar:vertical { background: transparent; width: 10px; margin: 2px; }
QScrollBar:horizontal { background: transparent; height: 10px; margin: 2px; }
QScrollBar::handle { background: $line; border-radius: 3px; }
QScrollBar::handle:vertical { min-height: 32px; }
QScrollBar::handle:horizontal { min-width: 32px; }
QScrollBar::handle:hover, QScrollBar::handle:pressed { background: $faint; }
QScrollBar::add-line, QScrollBar::sub-line, QScrollBar::add-page, QScrollBar::sub-page {
    background: transparent; border: none; width: 0; height: 0;
}
QTabBar { background: transparent; }
QTabBar::tab {
    background: transparent; color: $second; padding: 6px 12px; border: 1px solid transparent;
    border-radius: 8px; margin-right: 4px; font-weight: 500;
}
QTabBar::tab:hover { color: $text; background: $raised; }
QTabBar::tab:selected { color: $accent; background: $accent_soft; }
QTabBar::tab:selected:focus { border: 2px solid $accent; padding: 5px 11px; }
QTabWidget::pane { border: none; }
QMenu { background: $card; color: $text; border: 1px solid $line; border-radius: 8px; padding: 5px; }
QMenu::item { padding: 6px 26px 6px 12px; border-radius: 6px; background: transparent; }
QMenu::item:selected { background: $accent_soft; }
QMenu::item:disabled { color: $faint; }
QMenu::icon { padding-left: 8px; }
QMenu::separator { height: 1px; background: $line; margin: 5px 6px; }
QMenu::right-arrow { image: url("$right_picture"); width: 12px; height: 12px; }
QSplitter::handle { background: transparent; }
QSplitter::handle:hover { background: $line; border-radius: 3px; }
QGraphicsView { background: transparent; border: none; }
QGroupBox { border: 1px solid $line; border-radius: 10px; margin-top: 10px; padding-top: 8px; }
QGroupBox::title { subcontrol-origin: margin; left: 12px; color: $second; }
"""

_PARTS = (_TEXT, _BUTTONS, _INPUTS, _VIEWS)

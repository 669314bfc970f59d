"""Exit codes of a worker, and what the code of a dead one means in words."""

from __future__ import annotations

import signal
from typing import Literal

DONE = 0
FAILED = 1
USAGE = 2
#: BSD's EX_TEMPFAIL: not finished, try again later.
PAUSED = 75
#: What a shell reports for a program that Ctrl+C ended.
CANCELLED = 130

DeathKind = Literal["killed", "out-of-memory", "crash", "ended"]

_SIGNAL_WORDS = {
    "SIGKILL": "It was killed by the system or by someone (SIGKILL). Most often memory ran out.",
    "SIGSEGV": "It crashed in native code (SIGSEGV: an access to memory that is not its own).",
    "SIGBUS": "It crashed (SIGBUS): a file that it had mapped was cut short or its disk went away.",
    "SIGABRT": "Native code gave up (SIGABRT): a check inside the backend failed.",
    "SIGFPE": "It crashed on an impossible computation (SIGFPE).",
    "SIGILL": "It met an instruction that this processor lacks (SIGILL): the backend was built for another.",
    "SIGTERM": "It was asked to end from outside (SIGTERM).",
    "SIGHUP": "It was ended because its terminal or its session closed (SIGHUP).",
    "SIGXCPU": "It used up the CPU time that this system allows it (SIGXCPU).",
    "SIGXFSZ": "It wrote a file larger than this system allows it (SIGXFSZ).",
    "SIGINT": "It was interrupted (SIGINT).",
}

#: NTSTATUS values that Windows gives as exit codes.
_WINDOWS_WORDS = {
    0xC0000005: "It crashed in native code (access violation).",
    0xC0000017: "Windows had no memory left for it.",
    0xC000001D: "It met an instruction that this processor lacks: the backend was built for another.",
    0xC0000094: "It crashed on a division by zero.",
    0xC00000FD: "It crashed: its stack overflowed.",
    0xC0000135: "A library (DLL) that it needs was not found.",
    0xC000013A: "It was ended by Ctrl+C or by closing its console.",
    0xC0000374: "It crashed: its memory was corrupted.",
    0xC0000409: "Native code gave up: a check inside the backend failed.",
}


def words(code: int | None) -> str:
    """What an exit code says, as a sentence for a person.

    Args:
        code: As `subprocess` gives it: negative for a signal; None where nobody could see it.
    """
    if code is None:
        return "Its process is gone: the machine went down, or it was killed while no window was open."
    if code & 0xFFFFFFFF in _WINDOWS_WORDS:
        return _WINDOWS_WORDS[code & 0xFFFFFFFF]
    if code < 0:
        name = _signal_name(-code)
        return _SIGNAL_WORDS.get(name, f"It was ended by the signal {name}.")
    if code > 128 and _signal_name(code - 128) in _SIGNAL_WORDS:
        return _SIGNAL_WORDS[_signal_name(code - 128)]
    if code == DONE:
        return "It ended without a last word."
    if code == USAGE:
        return "It refused its arguments; the log says which."
    return f"It ended with exit code {code}; the log says more."


def kind(code: int | None) -> DeathKind:
    """How the process died, for deciding whether to try again."""
    if code is not None and 128 < code < 160 and code != CANCELLED:
        code = 128 - code  # as a shell, or a worker that followed a job elsewhere, reports a signal
    if code is None or code in (-15, -1, -2, 0xC000013A):
        return "killed"
    if code in (-9, 0xC0000017):
        return "out-of-memory" if code == 0xC0000017 else "killed"
    if code < 0 or code & 0xFFFFFFFF in _WINDOWS_WORDS:
        return "crash"
    return "ended"


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"number {number}"

"""Errors in the form that OpenAI's clients understand."""

from __future__ import annotations

from collections.abc import Mapping

from starlette.responses import JSONResponse

from workbench.errors import WorkbenchError

#: Status, type and code for each kind of error.
_KINDS: dict[str, tuple[int, str, str | None]] = {
    "context-full": (400, "invalid_request_error", "context_length_exceeded"),
    "request": (400, "invalid_request_error", None),
    "template": (400, "invalid_request_error", "chat_template"),
    "usage": (400, "invalid_request_error", None),
    "not-found": (404, "invalid_request_error", "model_not_found"),
    "out-of-memory": (503, "server_error", "out_of_memory"),
    "missing-extra": (501, "server_error", "missing_extra"),
    "engine": (502, "server_error", "engine_failed"),
}


def error_body(
    message: str, kind: str, code: str | None = None, param: str | None = None
) -> dict[str, object]:
    """The body of an error.

    >>> error_body("No.", "invalid_request_error")["error"]["message"]
    'No.'
    """
    return {"error": {"message": message, "type": kind, "param": param, "code": code}}


def refuse(
    status: int,
    message: str,
    *,
    kind: str = "invalid_request_error",
    code: str | None = None,
    param: str | None = None,
    headers: Mapping[str, str] | None = None,
) -> JSONResponse:
    """A response that says what is wrong with a request."""
    return JSONResponse(error_body(message, kind, code, param), status_code=status, headers=headers)


def of(error: WorkbenchError) -> JSONResponse:
    """A response for an error of ours; details stay here, as they may name paths."""
    status, kind, code = _KINDS.get(error.kind, (500, "server_error", error.kind))
    return refuse(status, str(error), kind=kind, code=code)


def body_of(error: WorkbenchError) -> dict[str, object]:
    """The same as a body alone, for the middle of a stream."""
    _status, kind, code = _KINDS.get(error.kind, (500, "server_error", error.kind))
    return error_body(str(error), kind, code)

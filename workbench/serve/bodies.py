"""Reads a request's JSON body, and says exactly what is wrong with it."""

from __future__ import annotations

import json
from typing import TypeVar

from pydantic import BaseModel, ValidationError
from starlette.requests import ClientDisconnect
from starlette.requests import Request as HttpRequest
from starlette.responses import Response

from workbench.serve.errors import refuse

_B = TypeVar("_B", bound=BaseModel)


async def read_body(http: HttpRequest, shape: type[_B]) -> _B | Response:
    """The body as a model of its shape, or the response that refuses it."""
    try:
        raw = await http.body()
    except ClientDisconnect:
        return Response(status_code=499)
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError:
        return refuse(400, "The body is not valid UTF-8.", code="invalid_encoding")
    try:
        values = json.loads(text)
    except (ValueError, RecursionError) as error:
        return refuse(400, f"The body is not valid JSON: {str(error)[:200]}", code="invalid_json")
    if not isinstance(values, dict):
        return refuse(400, "The body is not a JSON object.", code="invalid_json")
    try:
        return shape.model_validate(values)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        return refuse(400, f"{where}: {first['msg']}", param=where, code="invalid_value")

"""`/v1/embeddings`."""

from __future__ import annotations

import base64
import uuid
from array import array
from typing import Any

from starlette.requests import Request as HttpRequest
from starlette.responses import JSONResponse, Response

from workbench.errors import WorkbenchError
from workbench.serve import errors
from workbench.serve.bodies import read_body
from workbench.serve.generation import Generation
from workbench.serve.limits import TooManyRequests
from workbench.serve.schemas import EmbeddingBody


async def embeddings(http: HttpRequest, generation: Generation) -> Response:
    """One vector for each text."""
    body = await read_body(http, EmbeddingBody)
    if isinstance(body, Response):
        return body
    try:
        slot = generation.pool.find(body.model)
        async with generation.gate, generation.pool.use(slot) as process:
            found = await process.embed(uuid.uuid4().hex, body.texts())
    except TooManyRequests:
        return generation.full()
    except WorkbenchError as error:
        return errors.of(error)
    return JSONResponse(
        {
            "object": "list",
            "model": slot.name,
            "data": [
                {"object": "embedding", "index": index, "embedding": _encoded(vector, body.encoding_format)}
                for index, vector in enumerate(found.vectors)
            ],
            "usage": {"prompt_tokens": found.tokens, "total_tokens": found.tokens},
        }
    )


def _encoded(vector: tuple[float, ...], form: str) -> Any:
    if form == "float":
        return list(vector)
    return base64.b64encode(array("f", vector).tobytes()).decode()

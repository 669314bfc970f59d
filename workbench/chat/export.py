"""Conversations as Markdown for people and as JSON for programs."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime

from workbench.chat.conversations import Conversation, Turn


def as_markdown(conversation: Conversation, turns: Sequence[Turn]) -> str:
    """The branch that is looked at, with a heading for each turn."""
    parts = [f"# {conversation.title or 'Conversation'}"]
    if conversation.system:
        parts.append(f"**System prompt**\n\n{conversation.system}")
    for turn in turns:
        who = "You" if turn.role == "user" else turn.model_name or "Assistant"
        parts.append(f"## {who}\n\n{turn.text.rstrip()}")
    return "\n\n".join(parts) + "\n"


def as_json(conversation: Conversation, turns: Sequence[Turn]) -> str:
    """Every branch, with figures; times in ISO 8601."""
    body = {
        "title": conversation.title,
        "system": conversation.system,
        "created_at": _time(conversation.created_at),
        "turns": [{**asdict(turn), "created_at": _time(turn.created_at)} for turn in turns],
    }
    return json.dumps(body, ensure_ascii=False, indent=2) + "\n"


def _time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")

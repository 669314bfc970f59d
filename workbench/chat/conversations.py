"""Keeps conversations in the database: each a tree of turns, of which one branch is looked at."""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from sqlalchemy import delete, func, or_, select, update
from sqlalchemy.orm import Session as Transaction

from workbench.errors import NotFoundError
from workbench.store.database import Store
from workbench.store.guarded import guarded
from workbench.store.tables import ConversationRow, TurnRow

Role = Literal["user", "assistant"]

_TITLE_LETTERS = 60
_LISTED = 1000


@dataclass(frozen=True, slots=True)
class Conversation:
    """A conversation without its turns; times in seconds since the epoch."""

    id: str
    title: str
    system: str
    model_id: str | None
    created_at: float
    updated_at: float


@dataclass(frozen=True, slots=True)
class Turn:
    """One turn of the branch that is looked at.

    Attributes:
        place: Which of its siblings it is, from 0.
        siblings: The ids of all turns that stand in its place, itself included, oldest first.
        figures: What the answer took, as `wire.Figures` names it; empty for what a person said.
    """

    id: int
    parent_id: int | None
    role: Role
    text: str
    model_name: str
    figures: Mapping[str, Any]
    created_at: float
    place: int
    siblings: tuple[int, ...]


class Conversations:
    """All conversations of a home."""

    def __init__(self, store: Store, *, clock: Callable[[], float] = time.time) -> None:
        self._store = store
        self._clock = clock

    def create(self, *, model_id: str | None = None, system: str = "") -> Conversation:
        """A new conversation without turns."""
        now = self._clock()
        row = ConversationRow(
            id=secrets.token_hex(6),
            title="",
            system=system,
            model_id=model_id,
            leaf_id=None,
            created_at=now,
            updated_at=now,
        )
        with guarded(self._store) as session:
            session.add(row)
            session.flush()
            return _conversation(row)

    def search(self, words: str = "") -> list[Conversation]:
        """The conversations whose title or turns hold every one of some words, the newest first."""
        query = select(ConversationRow).order_by(ConversationRow.updated_at.desc()).limit(_LISTED)
        for word in words.split():
            inside = select(TurnRow.conversation_id).where(TurnRow.text.icontains(word, autoescape=True))
            query = query.where(
                or_(ConversationRow.title.icontains(word, autoescape=True), ConversationRow.id.in_(inside))
            )
        with guarded(self._store) as session:
            return [_conversation(row) for row in session.scalars(query)]

    def get(self, id: str) -> Conversation:
        """One conversation.

        Raises:
            NotFoundError: There is none with this id.
        """
        with guarded(self._store) as session:
            return _conversation(_row(session, id))

    def rename(self, id: str, title: str) -> None:
        """Call it something else."""
        self._change(id, title=title.strip()[:200])

    def set_system(self, id: str, system: str) -> None:
        """Change the system prompt, for the turns to come."""
        self._change(id, system=system)

    def set_model(self, id: str, model_id: str | None) -> None:
        """Remember with which model it is held."""
        self._change(id, model_id=model_id)

    def delete(self, id: str) -> None:
        """Delete it with all its turns."""
        with guarded(self._store) as session:
            session.execute(delete(ConversationRow).where(ConversationRow.id == id))

    def append(
        self,
        id: str,
        parent_id: int | None,
        role: Role,
        text: str,
        *,
        model_name: str = "",
        figures: Mapping[str, Any] | None = None,
    ) -> int:
        """Add a turn behind another (or as a first one), and look at its branch. Returns the turn's id.

        A second turn behind the same one makes a branch. The first words of a person name the conversation.
        """
        now = self._clock()
        with guarded(self._store, lock=True) as session:
            conversation = _row(session, id)
            turn = TurnRow(
                conversation_id=id,
                parent_id=parent_id,
                role=role,
                text=text,
                model_name=model_name,
                figures=json.dumps(dict(figures or {})),
                created_at=now,
            )
            session.add(turn)
            session.flush()
            conversation.leaf_id = turn.id
            conversation.updated_at = now
            if not conversation.title and role == "user":
                conversation.title = _title(text)
            return turn.id

    def path(self, id: str) -> list[Turn]:
        """The turns of the branch that is looked at, first to last."""
        with guarded(self._store) as session:
            leaf = _row(session, id).leaf_id
            rows = {row.id: row for row in session.scalars(_turns(id))}
        children = _children(rows.values())
        found: list[Turn] = []
        while leaf is not None and leaf in rows:
            row = rows[leaf]
            siblings = tuple(children[row.parent_id])
            found.append(_turn(row, siblings))
            leaf = row.parent_id
        return found[::-1]

    def choose(self, id: str, turn_id: int) -> None:
        """Look at the branch that goes through a turn, to its newest end."""
        with guarded(self._store, lock=True) as session:
            rows = list(session.scalars(_turns(id)))
            children = _children(rows)
            if all(row.id != turn_id for row in rows):
                raise NotFoundError("This turn is not part of the conversation any more.")
            leaf = turn_id
            while children.get(leaf):
                leaf = children[leaf][-1]
            _row(session, id).leaf_id = leaf

    def all_turns(self, id: str) -> list[Turn]:
        """Every turn of every branch, oldest first."""
        with guarded(self._store) as session:
            rows = list(session.scalars(_turns(id)))
        children = _children(rows)
        return [_turn(row, tuple(children[row.parent_id])) for row in rows]

    def now(self) -> float:
        """The moment, in seconds since the epoch."""
        return self._clock()

    def count(self) -> int:
        """How many conversations there are."""
        with guarded(self._store) as session:
            return session.scalar(select(func.count()).select_from(ConversationRow)) or 0

    def _change(self, id: str, **values: Any) -> None:
        with guarded(self._store, lock=True) as session:
            _row(session, id)
            session.execute(update(ConversationRow).where(ConversationRow.id == id).values(**values))


def _row(session: Transaction, id: str) -> ConversationRow:
    row = session.get(ConversationRow, id)
    if row is None:
        raise NotFoundError("This conversation is not there any more.")
    return row


def _turns(id: str) -> Any:
    return select(TurnRow).where(TurnRow.conversation_id == id).order_by(TurnRow.id)


def _children(rows: Any) -> dict[int | None, list[int]]:
    found: dict[int | None, list[int]] = {}
    for row in rows:
        found.setdefault(row.parent_id, []).append(row.id)
    return found


def _conversation(row: ConversationRow) -> Conversation:
    return Conversation(row.id, row.title, row.system, row.model_id, row.created_at, row.updated_at)


def _turn(row: TurnRow, siblings: tuple[int, ...]) -> Turn:
    return Turn(
        id=row.id,
        parent_id=row.parent_id,
        role="user" if row.role == "user" else "assistant",
        text=row.text,
        model_name=row.model_name,
        figures=json.loads(row.figures),
        created_at=row.created_at,
        place=siblings.index(row.id),
        siblings=siblings,
    )


def _title(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _TITLE_LETTERS else line[: _TITLE_LETTERS - 1].rstrip() + "…"

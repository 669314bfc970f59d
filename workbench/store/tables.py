"""The tables of the database."""

from __future__ import annotations

from sqlalchemy import ForeignKey, Index, MetaData, Text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class Base(DeclarativeBase):
    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(column_0_label)s",
            "uq": "uq_%(table_name)s_%(column_0_name)s",
            "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
            "pk": "pk_%(table_name)s",
        }
    )


class ModelRow(Base):
    """A model on disk. The headline figures stand beside `facts` so that a long list needs no parsing."""

    __tablename__ = "models"

    id: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(index=True)
    path: Mapped[str] = mapped_column(unique=True)
    format: Mapped[str]
    architecture: Mapped[str | None]
    quantization: Mapped[str]
    parameters: Mapped[int]
    bits_per_weight: Mapped[float]
    size_bytes: Mapped[int]
    facts: Mapped[str] = mapped_column(Text)
    sha256: Mapped[str | None] = mapped_column(index=True)
    in_place: Mapped[bool]
    source: Mapped[str]
    parent_id: Mapped[str | None] = mapped_column(ForeignKey("models.id", ondelete="SET NULL"), index=True)
    job_id: Mapped[str | None] = mapped_column(index=True)
    tags: Mapped[str] = mapped_column(Text, default="[]")
    notes: Mapped[str] = mapped_column(Text, default="")
    created_at: Mapped[float]


class JobRow(Base):
    """A job: what its folder says, indexed. `queued_at` is when it last began to wait for its turn."""

    __tablename__ = "jobs"

    id: Mapped[str] = mapped_column(primary_key=True)
    operation: Mapped[str]
    title: Mapped[str]
    spec: Mapped[str] = mapped_column(Text)
    state: Mapped[str] = mapped_column(index=True)
    reason: Mapped[str] = mapped_column(default="")
    needs: Mapped[str]
    position: Mapped[float] = mapped_column(index=True)
    model_id: Mapped[str | None] = mapped_column(index=True)
    result_model_id: Mapped[str | None]
    created_at: Mapped[float]
    queued_at: Mapped[float]
    started_at: Mapped[float | None]
    ended_at: Mapped[float | None]
    pid: Mapped[int | None]
    pid_created_at: Mapped[float | None]
    attempts: Mapped[int] = mapped_column(default=0)
    progress_done: Mapped[float] = mapped_column(default=0.0)
    progress_total: Mapped[float] = mapped_column(default=0.0)
    progress_unit: Mapped[str] = mapped_column(default="")
    progress_label: Mapped[str] = mapped_column(default="")
    error_kind: Mapped[str] = mapped_column(default="")
    error_message: Mapped[str] = mapped_column(Text, default="")
    error_remedy: Mapped[str] = mapped_column(Text, default="")
    error_details: Mapped[str] = mapped_column(Text, default="")
    events_offset: Mapped[int] = mapped_column(default=0)


class LoadRow(Base):
    """One real load of a model: what was estimated and what was measured."""

    __tablename__ = "loads"
    __table_args__ = (Index("ix_loads_architecture_engine", "architecture", "engine"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    model_id: Mapped[str | None] = mapped_column(ForeignKey("models.id", ondelete="SET NULL"))
    architecture: Mapped[str]
    engine: Mapped[str]
    format: Mapped[str]
    context: Mapped[int]
    batch: Mapped[int]
    estimated_bytes: Mapped[int]
    measured_bytes: Mapped[int]
    created_at: Mapped[float]


class SettingRow(Base):
    """One setting, as JSON."""

    __tablename__ = "settings"

    key: Mapped[str] = mapped_column(primary_key=True)
    value: Mapped[str] = mapped_column(Text)


class ConversationRow(Base):
    """A conversation; `leaf_id` is the last turn of the branch that was looked at last."""

    __tablename__ = "conversations"

    id: Mapped[str] = mapped_column(primary_key=True)
    title: Mapped[str]
    system: Mapped[str] = mapped_column(Text, default="")
    model_id: Mapped[str | None]
    leaf_id: Mapped[int | None]
    created_at: Mapped[float]
    updated_at: Mapped[float] = mapped_column(index=True)


class TurnRow(Base):
    """One turn. Turns form a tree: answering again or editing makes a sibling, and nothing is lost."""

    __tablename__ = "turns"

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    conversation_id: Mapped[str] = mapped_column(
        ForeignKey("conversations.id", ondelete="CASCADE"), index=True
    )
    parent_id: Mapped[int | None] = mapped_column(ForeignKey("turns.id", ondelete="CASCADE"), index=True)
    role: Mapped[str]
    text: Mapped[str] = mapped_column(Text)
    model_name: Mapped[str] = mapped_column(default="")
    figures: Mapped[str] = mapped_column(Text, default="{}")
    created_at: Mapped[float]


class VoteRow(Base):
    """Which of two answers to one prompt a person found better; `winner` is `first`, `second` or `tie`."""

    __tablename__ = "votes"

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    prompt: Mapped[str] = mapped_column(Text)
    first: Mapped[str] = mapped_column(index=True)
    second: Mapped[str] = mapped_column(index=True)
    winner: Mapped[str]
    blind: Mapped[bool]
    created_at: Mapped[float]

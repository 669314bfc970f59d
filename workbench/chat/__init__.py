"""Conversations with models: kept as trees of turns, searched, exported, compared."""

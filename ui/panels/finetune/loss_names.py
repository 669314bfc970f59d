"""The series that every training reports."""

TRAIN, HELD_OUT = "loss/train", "loss/held-out"

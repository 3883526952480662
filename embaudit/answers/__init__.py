"""Answers to questions beyond the verdict: one file a question."""

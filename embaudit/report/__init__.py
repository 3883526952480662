"""Renderings of an Audit: one file a format, and the report for a person."""

"""Reading: one file a format, the ``EmbeddingSet`` protocol and pairs of sets."""

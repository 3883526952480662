"""Measures: one file a family, on moments, samples and neighbour lists."""

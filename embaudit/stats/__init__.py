"""Accumulators and kernels on checked arrays."""

"""How often the verdict is wrong, measured on pairs whose truth is known by brute force."""

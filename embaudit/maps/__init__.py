"""Maps from one space into another: plain numpy."""

"""What others do with the same files: one program a file, run in a process of its own."""

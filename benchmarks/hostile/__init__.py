"""What strangers may do to a file: mutants of every format, read in processes that are watched."""

"""The command line of embaudit: parse, call the library, render what it returns."""

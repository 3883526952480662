"""What a verdict advises, done: fitting a map, applying it, checking it again."""

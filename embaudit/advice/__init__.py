"""What the verdict means in words: summary, recommendation, findings."""

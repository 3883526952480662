"""Measurements that anyone can repeat: verdicts on known pairs, speed and memory."""

"""Metric names and logging: a leaf that every room but tables may import."""

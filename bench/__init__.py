"""Figures: what the pipeline costs, measured."""

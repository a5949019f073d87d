"""Criteria: what a badge asks for. One file a type; `union` lists them."""

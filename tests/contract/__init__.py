"""Tests that every sink passes."""

"""Tests that start processes of their own, and need no stack."""

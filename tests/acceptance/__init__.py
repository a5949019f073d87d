"""Tests of the whole product, through its public names alone."""

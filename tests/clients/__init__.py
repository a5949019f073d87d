"""Clients of criteria, checked by the compilers of their languages."""

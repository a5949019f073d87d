"""The tests: unit (no stack), contract, integration and acceptance."""

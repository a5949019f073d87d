"""The tests: unit (pure), processes (without a stack), contract, integration and acceptance."""

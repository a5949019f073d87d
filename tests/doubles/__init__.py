"""What stands in memory for Postgres and Kafka, held to the same contract by tests/contract."""

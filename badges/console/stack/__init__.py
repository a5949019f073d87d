"""The local stack: PostgreSQL, Kafka and Kafka Connect as plain processes, from wheels and jars.

`python -m badges.console.stack up|down|clean|install|lock` is what make calls.
"""

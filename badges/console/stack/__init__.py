"""The local stack: PostgreSQL, Kafka and Kafka Connect as plain processes, from wheels and jars.

`python -m badges.console.stack up|down|status|install|clean` is what make calls.
"""

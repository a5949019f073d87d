"""What /metrics tells of the unlock feed, by name."""

from prometheus_client import Counter, Gauge, Histogram

STREAMS = Gauge("badges_unlock_streams", "Clients that follow the unlock feed.")
SENT = Counter("badges_unlocks_sent", "Events handed to clients, each once for every client.")
DROPPED = Counter("badges_unlock_streams_dropped", "Clients dropped because they read too slowly.")
DELAY = Histogram(
    "badges_unlock_delay_seconds",
    "From the start of an event's transaction until it was handed to the clients.",
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5, 30, 300),
)

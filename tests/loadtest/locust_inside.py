"""Run in a process of its own, since importing locust changes the standard library there: prints
what locust makes of response times that are given to it, and how its connections are set up."""

import csv
import io
import json
import socket
from argparse import Namespace
from typing import Any, cast

from locust import stats
from locust.env import Environment

from loadtest.locust_rounding import install
from loadtest.locust_users import NoDelayPool
from tests.loadtest.lying_service import LyingService

TIMES = [0.6081] * 55 + [0.9178] * 35 + [12.34] * 8 + [123.4, 4567.0]


def rounding() -> dict[str, Any]:
    """Of one row that had these times."""
    environment = Environment(parsed_options=Namespace())
    for time in TIMES:
        environment.stats.log_request("POST", "row", cast(int, time), 10)
    entry = environment.stats.get("row", "POST")
    text = io.StringIO()
    stats.StatsCSV(environment, stats.PERCENTILES_TO_REPORT).requests_csv(csv.writer(text))
    line = next(csv.DictReader(io.StringIO(text.getvalue())))
    return {
        "buckets": sorted(entry.response_times),
        "csv": [line[rank] for rank in ("50%", "80%", "95%", "98%", "100%")],
        "page": entry.to_dict(),
        "console": [entry.to_string(current=False), entry.percentile()],
        "headers": [
            stats.get_stats_summary(environment.stats)[0],
            stats.get_percentile_stats_summary(environment.stats)[1],
        ],
    }


def connection() -> dict[str, Any]:
    """How many connections a user takes for five requests, and whether it sends at once."""
    with LyingService() as service:
        client = NoDelayPool(concurrency=1).get_client(service.url + "/")
        for _ in range(5):
            assert b"liar" in client.get("/v2/models/liar").read()
        opened = client._connection_pool.get_socket()
        at_once = bool(opened.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))
        opened.close()
        return {"connections": service.connections, "at once": at_once}


if __name__ == "__main__":
    install()
    print(json.dumps({**connection(), **rounding()}))  # noqa: T201

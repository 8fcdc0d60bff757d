"""Celery's chord: the app that its worker and celery-chord.js run. `python celery_chord.py redis://…` prints the times."""
import json
import os
import sys
import time

from celery import Celery, chord
from redis import Redis

url = os.environ["CELERY_URL"]
app = Celery("celery_chord", broker=url, backend=url)
app.conf.worker_prefetch_multiplier = 100


@app.task(name="noop")
def noop(payload):
    pass


@app.task(name="callback")
def callback():
    # The clock of this machine: the producer is on the same one.
    Redis.from_url(url).rpush("started", repr(time.time()))


if __name__ == "__main__":
    count = int(os.environ["BENCH_MESSAGES"])
    client = Redis.from_url(url)
    times = []
    for run in range(4):
        members = [noop.s("xxxxxxxx") for _ in range(count)]
        start = time.time()
        chord(members)(callback.si())
        started = float(client.blpop("started")[1])
        times.append((started - start) * 1000)
    later = sorted(times[1:])
    print(json.dumps({"times": {"first": times[0], "later": later[len(later) // 2]}}))
    sys.stdout.flush()

"""A Python service on Dramatiq, told what to do by lines of JSON: the other half of the interop tests."""
import json
import os
import sys
import threading

import dramatiq
from dramatiq import Worker, group, pipeline
from dramatiq.brokers.redis import RedisBroker
from dramatiq.middleware import GroupCallbacks
from dramatiq.rate_limits import ConcurrentRateLimiter
from dramatiq.rate_limits.backends import RedisBackend as RateLimits
from dramatiq.results import Results
from dramatiq.results.backends import RedisBackend
from dramatiq.results.errors import ResultError, ResultFailure

url, heartbeat_timeout = sys.argv[1], int(sys.argv[2])
broker = RedisBroker(url=url, heartbeat_timeout=heartbeat_timeout, maintenance_chance=1_000_000)
broker.add_middleware(Results(backend=RedisBackend(url=url)))
limits = RateLimits(url=url)
broker.add_middleware(GroupCallbacks(limits))
dramatiq.set_broker(broker)
output = threading.Lock()
released = threading.Event()
worker = None


def say(value):
    with output:
        print(json.dumps(value), flush=True)


@dramatiq.actor(queue_name="python", store_results=True)
def add(x, y):
    return x + y


@dramatiq.actor(queue_name="python", max_retries=0, store_results=True)
def fail(text):
    raise ValueError(text)


@dramatiq.actor(queue_name="shared")
def seen(number):
    say({"seen": number})


@dramatiq.actor(queue_name="python")
def die(text):
    say({"dying": text})
    os.kill(os.getpid(), 9)


@dramatiq.actor(queue_name="python", store_results=True)
def held_there(value):
    released.wait(30)
    return value


@dramatiq.actor(queue_name="python")
def report_there(text):
    say({"report": text})


@dramatiq.actor(queue_name="node", store_results=True)
def held_here(value):
    raise NotImplementedError


@dramatiq.actor(queue_name="node")
def report_here(text):
    raise NotImplementedError


@dramatiq.actor(queue_name="node", actor_name="multiply", store_results=True)
def multiply(x, y):
    raise NotImplementedError


@dramatiq.actor(queue_name="node", actor_name="throw", store_results=True)
def throw(text):
    raise NotImplementedError


def make(name, args, options={}):
    return broker.actors[name].message_with_options(args=tuple(args), **options)


def run(command, actor=None, args=(), delay=None, message=None, timeout=10000, key=None, queues=None, others=(), callbacks=()):
    global worker
    if command == "send":
        return broker.actors[actor].send_with_options(args=tuple(args), delay=delay).asdict()
    if command == "pipe":
        steps = [make(*step) for step in others]
        return [step.asdict() for step in pipeline(steps).run(delay=delay).messages]
    if command == "group":
        members = group([pipeline([make(*step) for step in steps]) for steps in others])
        for callback in callbacks:
            members.add_completion_callback(make(*callback))
        members.run(delay=delay)
        return [member.messages[-1].asdict() for member in members.children]
    if command == "release":
        released.set()
    if command == "result":
        try:
            return {"value": dramatiq.Message(**message).get_result(block=True, timeout=timeout)}
        except ResultFailure as error:
            return {"failure": str(error), "type": error.orig_exc_type, "text": error.orig_exc_msg}
        except ResultError as error:
            return {"error": type(error).__name__}
    if command == "work":
        worker = Worker(broker, queues=set(queues), worker_threads=2, worker_timeout=50)
        worker.start()
    if command == "rest":
        worker.stop()
    if command == "limit":
        with ConcurrentRateLimiter(limits, key, limit=1).acquire(raise_on_failure=False) as acquired:
            return acquired
    return None


say({"version": dramatiq.__version__})
for line in sys.stdin:
    request = json.loads(line)
    number = request.pop("number")
    say({"answer": number, "value": run(**request)})

"""rq against the server on the port given: jobs are enqueued, worked off, fail, are retried, depend on each other, are
scheduled and cancelled. The worker is in burst mode: it takes jobs until there are none."""

import datetime
import sys

import redis
from rq import Queue, Retry, SimpleWorker
from rq.job import Job, JobStatus
from rq.registry import FailedJobRegistry, FinishedJobRegistry, ScheduledJobRegistry

PORT = int(sys.argv[1])
checks = 0


def equal(actual, expected):
    global checks
    checks += 1
    assert actual == expected, f"expected {expected!r}, got {actual!r}"


class Worker(SimpleWorker):
    """One that nobody commands from outside: that takes pub/sub."""

    def subscribe(self):
        pass

    def unsubscribe(self):
        pass


def work(queues, connection):
    Worker(queues, connection=connection).work(burst=True, logging_level="ERROR")


def jobs(connection):
    queue = Queue("default", connection=connection)
    many = [queue.enqueue("math.factorial", n) for n in range(30)]
    urgent = queue.enqueue("operator.add", 1, 2, at_front=True)
    equal(len(queue), 31)
    equal(queue.job_ids[0], urgent.id)
    work([queue], connection)
    equal(urgent.return_value(), 3)
    equal(many[10].return_value(), 3628800)
    equal(many[5].get_status(), JobStatus.FINISHED)
    equal(len(queue), 0)
    equal(len(FinishedJobRegistry(queue=queue)), 31)


def failures(connection):
    queue = Queue("failing", connection=connection)
    failing = queue.enqueue("operator.truediv", 1, 0)
    again = queue.enqueue("operator.truediv", 2, 0, retry=Retry(max=2))
    work([queue], connection)
    equal(failing.get_status(), JobStatus.FAILED)
    assert "ZeroDivisionError" in failing.latest_result().exc_string
    equal(again.get_status(), JobStatus.FAILED)
    again.refresh()
    equal(again.retries_left, 0)
    registry = FailedJobRegistry(queue=queue)
    equal(set(registry.get_job_ids()), {failing.id, again.id})
    registry.requeue(failing)
    equal(queue.job_ids, [failing.id])
    queue.empty()
    equal(len(queue), 0)


def dependencies(connection):
    queue = Queue("dependent", connection=connection)
    first = queue.enqueue("operator.mul", 6, 7)
    second = queue.enqueue("operator.neg", 5, depends_on=first)
    third = queue.enqueue("operator.abs", -4, depends_on=[first, second])
    equal(third.get_status(), JobStatus.DEFERRED)
    work([queue], connection)
    equal([job.return_value() for job in (first, second, third)], [42, -5, 4])
    with connection.pipeline() as pipe:
        prepared = [Queue.prepare_data("operator.add", (n, n)) for n in range(5)]
        bulk = queue.enqueue_many(prepared, pipeline=pipe)
        pipe.execute()
    cancelled = bulk[3]
    cancelled.cancel()
    equal(cancelled.get_status(), JobStatus.CANCELED)
    work([queue], connection)
    equal([job.return_value() for job in bulk], [0, 2, 4, None, 8])
    bulk[0].delete()
    equal(Job.exists(bulk[0].id, connection=connection), False)


def schedule(connection):
    queue = Queue("later", connection=connection)
    job = queue.enqueue_in(datetime.timedelta(hours=1), "operator.add", 1, 1)
    registry = ScheduledJobRegistry(queue=queue)
    equal(job in registry, True)
    assert registry.get_expiration_time(job) > datetime.datetime.now(datetime.timezone.utc)
    equal(registry.get_jobs_to_schedule(), [])
    registry.remove(job, delete_job=True)
    equal(len(registry), 0)


def main():
    connection = redis.Redis(host="127.0.0.1", port=PORT, socket_timeout=20)
    jobs(connection)
    failures(connection)
    dependencies(connection)
    schedule(connection)
    print(f"rq: {checks} checks")


main()

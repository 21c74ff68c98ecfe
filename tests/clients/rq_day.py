"""A day of rq on the server on the port given: so many jobs, through a queue and its workers, while the server is killed so
many times (whoever runs this kills it at each line "kill the server", and starts it again).

rq's contract: a job that a worker has taken from the queue, but did not get to, stays in the intermediate queue; one whose worker
has gone in its middle stays among the started ones; maintenance hands both out again, as far as the job may be retried. So no
job may be lost; each must have one result, but where the answer to the transaction that saved it was lost, and the worker has
repeated it; and whatever has run twice was handed out again: at most one job of each worker at each kill."""

import os
import sys
import time
from collections import Counter
from datetime import datetime, timedelta, timezone
from multiprocessing import get_context
from pathlib import Path
from tempfile import TemporaryDirectory

import redis
import rq
from redis.backoff import ConstantBackoff
from redis.retry import Retry as Reconnect
from rq import Queue, Retry, SimpleWorker
from rq.intermediate_queue import IntermediateQueue
from rq.job import Job, JobStatus

PORT, JOBS, KILLS = map(int, sys.argv[1:4])
WORKERS = 3
BATCH = 50
PATIENCE = 60
# How long nothing may happen before the maintenance that rq's workers do every ten minutes is done.
QUIET = 3
NAME = "day"


def connect(retries=600):
    return redis.Redis(
        host="127.0.0.1", port=PORT, socket_timeout=20, health_check_interval=0, retry=Reconnect(ConstantBackoff(0.1), retries)
    )


def double(n, folder):
    """The job: each run is noted, by the worker that did it, where no server takes part."""
    with open(Path(folder) / str(os.getpid()), "a", encoding="ascii") as notes:
        notes.write(f"{n}\n")
    return 2 * n


def work():
    """A worker, and another one when it has quit, as a supervisor would have it."""
    while True:
        worker = SimpleWorker([NAME], connection=connect(), log_job_description=False)
        worker.work(logging_level="CRITICAL")
        if worker._stop_requested:
            return


def produce(queue, folder):
    """Each job is there once: whether one has come through is looked up where the answer was lost."""
    for start in range(0, JOBS, BATCH):
        for n in range(start, min(start + BATCH, JOBS)):
            while True:
                try:
                    if not Job.exists(f"job-{n}", connection=queue.connection):
                        queue.enqueue("rq_day.double", n, folder, job_id=f"job-{n}", retry=Retry(max=10), result_ttl=86400)
                    break
                except (redis.ConnectionError, redis.TimeoutError):
                    time.sleep(0.1)
        yield start


def runs(folder):
    return Counter(int(n) for notes in Path(folder).iterdir() for n in notes.read_text("ascii").split())


def hand_out_again(queue):
    """What rq's maintenance does when a job's time is over, at once. Returns how many jobs it was for."""
    started = queue.started_job_registry
    waiting = IntermediateQueue(queue.key, connection=queue.connection)
    taken = waiting.get_job_ids()
    abandoned = len(started)
    started.cleanup(timestamp=time.time() + 86400)
    over = (datetime.now(timezone.utc) - timedelta(minutes=2)).timestamp()
    for job_id in taken:
        queue.connection.set(waiting.get_first_seen_key(job_id), over)
    waiting.cleanup(SimpleWorker([NAME], connection=queue.connection), queue)
    return len(taken) + abandoned


def day(folder):
    connection = connect()
    queue = Queue(NAME, connection=connection)
    # The producer must know what it has done.
    producer = produce(Queue(NAME, connection=connect(0)), folder)
    context = get_context("fork")
    workers = [context.Process(target=work, daemon=True) for _ in range(WORKERS)]
    for worker in workers:
        worker.start()
    done, since, killed, again, producing = 0, time.monotonic(), 0, 0, True
    try:
        while done < JOBS or killed < KILLS:
            if producing and len(queue) < 10 * BATCH:
                producing = next(producer, None) is not None
            now = queue.finished_job_registry.get_job_count(cleanup=False)
            if now != done:
                done, since = now, time.monotonic()
            if killed < KILLS and done > JOBS * (killed + 1) // (KILLS + 1):
                killed += 1
                print("kill the server", flush=True)
            quiet = time.monotonic() - since
            if not producing and quiet > QUIET and len(queue) == 0:
                again += hand_out_again(queue)
            assert quiet < PATIENCE, f"nothing happens any more: {done} of {JOBS} done, {len(queue)} queued"
            time.sleep(0.02)
    finally:
        for worker in workers:
            worker.kill()
    return queue, killed, again


def main():
    with TemporaryDirectory() as folder:
        queue, killed, again = day(folder)
        ran = runs(folder)
    lost = twice = more = 0
    for n in range(JOBS):
        job = Job.fetch(f"job-{n}", connection=queue.connection)
        results = job.results()
        good = job.get_status(refresh=False) == JobStatus.FINISHED and results and results[0].return_value == 2 * n
        lost += not good
        twice += len(results) > 1
        more += ran[n] - 1
    left = [len(queue), len(queue.failed_job_registry), len(queue.started_job_registry)]
    assert left == [0, 0, 0], f"queued, failed, started: {left}"
    # At each kill, each worker has one job at most.
    allowed = WORKERS * killed
    print(
        f"rq {rq.VERSION}: {JOBS} jobs, {killed} kills: {lost} lost, "
        f"{max(0, twice - allowed) + max(0, more - allowed)} twice without reason ({again} were handed out again, "
        f"{more} ran again, {twice} saved a result again, as the answer was cut off)"
    )


if __name__ == "__main__":
    main()

"""A day of Celery, with its Redis broker and result backend, on the server on the port given: so many tasks, through a worker,
while the server is killed so many times (whoever runs this kills it at each line "kill the server", and starts it again).

Celery's contract over Redis, with late acknowledgement: what a worker has not acknowledged when it loses its connection is handed
out again, and so is what it had acknowledged where the answer was lost. A message that BRPOP has taken, where the answer never
came, is gone: kombu has nothing that remembers it, so one who wants each task done sends those again that have neither a result
nor a message. All three are bounded by what one worker has in its hands at a kill, and that is checked."""

import json
import logging
import os
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from tempfile import TemporaryDirectory

import celery
import redis
from celery import Celery
from redis.backoff import ConstantBackoff
from redis.retry import Retry

PORT_VARIABLE, FOLDER_VARIABLE = "CELERY_DAY_PORT", "CELERY_DAY_FOLDER"
CHILDREN = 3
PREFETCHED = 4
IN_HAND = CHILDREN * PREFETCHED
AHEAD = 500
PATIENCE = 90
QUIET = 8
UNLIMITED = {"max_retries": None, "interval_start": 0.1, "interval_step": 0, "interval_max": 0.1}
BROKER_OPTIONS = {
    "visibility_timeout": 5,
    "unacked_restore_interval": 1,
    "unacked_restore_throttle": 1,
    # Else a restorer whose connection is lost keeps the others away for five minutes.
    "unacked_mutex_expire": 2,
}

URL = f"redis://127.0.0.1:{os.environ.get(PORT_VARIABLE) or sys.argv[1]}/0"
app = Celery("celery_day", broker=URL, backend=URL)
app.conf.update(
    task_acks_late=True,
    task_reject_on_worker_lost=True,
    worker_prefetch_multiplier=PREFETCHED,
    worker_cancel_long_running_tasks_on_connection_loss=False,
    broker_connection_retry_on_startup=True,
    broker_connection_max_retries=None,
    broker_transport_options=BROKER_OPTIONS,
    result_backend_always_retry=True,
    result_backend_max_retries=1000,
    result_backend_transport_options={"retry_policy": UNLIMITED},
)


@app.task(name="double")
def double(n):
    """Each run is noted, by the process that did it, where no server takes part."""
    with open(Path(os.environ[FOLDER_VARIABLE]) / str(os.getpid()), "a", encoding="ascii") as notes:
        notes.write(f"{n}\n")
    return 2 * n


def name(n):
    return f"task-{n}"


def send(n):
    double.apply_async((n,), task_id=name(n), retry=True, retry_policy=UNLIMITED)


def results(connection, numbers):
    """Those of the tasks that have a result, each with it."""
    values = connection.mget([f"celery-task-meta-{name(n)}" for n in numbers]) if numbers else []
    return {n: json.loads(value)["result"] for n, value in zip(numbers, values) if value}


def has_messages(connection):
    return connection.exists("celery", "unacked") > 0


class Worker:
    """A worker's process, and another one when it has left, as a supervisor would have it: where an acknowledgement is cut off, kombu
    5.7 may let out an AttributeError, which Celery takes for the end."""

    def __init__(self, port, home):
        self.home = Path(home)
        self.notes = self.home / "notes"
        self.notes.mkdir()
        self.log = open(self.home / "log", "w+", encoding="utf-8")
        here = str(Path(__file__).parent)
        own = {PORT_VARIABLE: str(port), FOLDER_VARIABLE: str(self.notes), "PYTHONPATH": here, "C_FORCE_ROOT": "1"}
        self.environment = {**os.environ, **own}
        self.start()

    def start(self):
        command = [sys.executable, "-m", "celery", "-A", "celery_day", "worker", "--concurrency", str(CHILDREN)]
        self.process = subprocess.Popen(command, env=self.environment, cwd=self.home, stdout=self.log, stderr=self.log)

    def supervise(self):
        if self.process.poll() is not None:
            self.start()

    def stop(self):
        self.process.terminate()
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
        self.log.seek(0)
        return self.log.readlines()

    def runs(self):
        return Counter(int(n) for notes in self.notes.iterdir() for n in notes.read_text("ascii").split())


def day(connection, jobs, kills, worker):
    """Sends all tasks and waits for their results. Returns the results, the kills, and how many tasks were sent again."""
    done, pending, sent, killed, again = {}, [], 0, 0, 0
    since = time.monotonic()
    while len(done) < jobs or killed < kills or has_messages(connection):
        worker.supervise()
        while sent < jobs and len(pending) < AHEAD:
            send(sent)
            pending.append(sent)
            sent += 1
        new = results(connection, pending)
        pending = [n for n in pending if n not in new]
        done.update(new)
        if new:
            since = time.monotonic()
        if killed < kills and len(done) > jobs * (killed + 1) // (kills + 1):
            killed += 1
            print("kill the server", flush=True)
        quiet = time.monotonic() - since
        assert quiet < PATIENCE, f"nothing happens any more: {len(done)} of {jobs} have a result"
        if quiet > QUIET and pending and not has_messages(connection):
            again += len(pending)
            for n in pending:
                send(n)
            since = time.monotonic()
        time.sleep(0.05)
    return done, killed, again


def main():
    port, jobs, kills = map(int, sys.argv[1:4])
    logging.disable(logging.ERROR)
    connection = redis.Redis(host="127.0.0.1", port=port, socket_timeout=20, retry=Retry(ConstantBackoff(0.1), 600))
    with TemporaryDirectory() as home:
        worker = Worker(port, home)
        try:
            done, killed, again = day(connection, jobs, kills, worker)
        except BaseException:
            print("".join(worker.stop()[-60:]))
            raise
        worker.stop()
        ran = worker.runs()
    lost = sum(done.get(n) != 2 * n for n in range(jobs))
    more = ran.total() - jobs
    # What the worker had in its hands at each kill, and the one message that was on its way to the broker.
    allowed = killed * (IN_HAND + 1)
    assert again <= killed, f"{again} tasks had to be sent again after {killed} kills"
    print(
        f"Celery {celery.__version__}: {jobs} jobs, {killed} kills: {lost} lost, {max(0, more - allowed)} twice without reason "
        f"({more} ran again, as they were in the worker's hands, {again} were sent again, as BRPOP had taken them)"
    )


if __name__ == "__main__":
    main()

"""The witness as a process of its own, and one that answers whatever it is told to."""

import contextlib
import re
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx2

from ledger.proofs import parse_key

ROOT = Path(__file__).parents[2]


class Process:
    """``voisin witness`` on a port, any free one, until it is killed."""

    def __init__(self, directory, name, log, port=0):
        self.running = subprocess.Popen(
            [
                *(sys.executable, "-m", "api", "witness", "--dir", str(directory)),
                *("--name", name, "--log", log.encoded()),
                *("--port", str(port)),
            ],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        said = self.running.stdout
        self.key = parse_key(re.fullmatch(r"cosigns as (.*)\n", said.readline())[1])
        self.url = re.fullmatch(r"listening on (.*)\n", said.readline())[1]
        self.client = httpx2.Client(base_url=self.url, timeout=20)

    def ask(self, given):
        body = given if isinstance(given, bytes) else given.encoded()
        return self.client.post("/add-checkpoint", content=body)

    def end(self, number):
        self.client.close()
        self.running.send_signal(number)
        self.running.communicate(timeout=20)


class _Odd(BaseHTTPRequestHandler):
    """Answers (status, type, body) as told; None drips for ever, an ellipsis pours for ever."""

    def do_POST(self):
        self.server.asked += 1
        self.rfile.read(int(self.headers["content-length"]))
        status, kind, body = self.server.answer
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.end_headers()
        with contextlib.suppress(OSError):
            while body is ... and not self.server.ended.is_set():
                self.wfile.write(bytes(65_536))
            while body is None and not self.server.ended.wait(0.1):
                self.wfile.write(b" ")
            if isinstance(body, bytes):
                self.wfile.write(body)

    def log_message(self, *_):
        pass


@contextlib.contextmanager
def odd_witness(answer):
    """Serve ``answer`` on a free port; yield the server, which counts how often it was asked."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Odd)
    server.answer, server.asked, server.ended = answer, 0, threading.Event()
    server.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield server
    finally:
        server.ended.set()
        server.shutdown()
        thread.join()
        server.server_close()


def port_of(url):
    return int(url.rpartition(":")[2])


def elapsed_s(work):
    began_s = time.monotonic()
    work()
    return time.monotonic() - began_s

"""A network that goes wrong, from pytest: `gatecheck proxy` between a client and its server."""

import http.server
import json
import os
import subprocess
import threading
import urllib.error
import urllib.request

import pytest


class Proxy:
    """`gatecheck proxy` before a port of this host."""

    def __init__(self, port):
        command = [os.environ.get("GATECHECK", "gatecheck"), "proxy", "--to", f"127.0.0.1:{port}"]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        self.address = self.process.stdout.readline().strip()
        self.control = self.process.stdout.readline().strip()

    def put(self, part, value):
        request = urllib.request.Request(f"{self.control}/{part}", json.dumps(value).encode(), method="PUT")
        with urllib.request.urlopen(request) as answer:
            return json.load(answer)

    def close(self):
        self.process.terminate()
        assert self.process.wait() == 0


class Hello(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"hello")

    def log_message(self, *_):
        pass


@pytest.fixture
def proxy():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Hello)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    proxy = Proxy(server.server_port)
    yield proxy
    proxy.close()
    server.shutdown()


def get(proxy, timeout=5):
    with urllib.request.urlopen(f"http://{proxy.address}/", timeout=timeout) as answer:
        return answer.read()


def test_a_black_hole_is_noticed_by_a_timeout(proxy):
    assert get(proxy) == b"hello"
    assert proxy.put("network", {"both": {"black_hole": True}})["network"] == {"both": {"black_hole": True}}
    with pytest.raises(TimeoutError):
        get(proxy, timeout=0.5)
    proxy.put("network", "clear")
    assert get(proxy) == b"hello"


def test_a_server_that_is_gone(proxy):
    proxy.put("open", False)
    with pytest.raises(OSError):
        get(proxy)
    proxy.put("open", True)
    assert get(proxy) == b"hello"


def test_a_mistake_is_said(proxy):
    with pytest.raises(urllib.error.HTTPError) as error:
        proxy.put("network", "sideways")
    assert error.value.code == 400 and "black" not in json.load(error.value)["error"]

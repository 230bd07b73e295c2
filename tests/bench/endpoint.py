"""A container credentials endpoint for the benchmark: one kind of answer, as fast as Python can give it.

It always sends good, new credentials; faults are for the tests (tests/support/endpoint.rs). A bare socket rather than
http.server, so that what is measured is the client.
"""

import json
import socket
import threading
import time
from email.utils import formatdate

PATH = "/latest/meta-data/container/security-credentials"
TOKEN = "benchmark-token"
# Long enough that no lease comes due during the benchmark.
LIFE = 6 * 3600


class Endpoint:
    """Serves on a free port of loopback until the program exits."""

    def __init__(self):
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.uri = f"http://127.0.0.1:{self.socket.getsockname()[1]}{PATH}"
        self.count = 0
        threading.Thread(target=self._serve, daemon=True).start()

    def env(self):
        """The variables that CloudShell sets."""
        return {"AWS_CONTAINER_CREDENTIALS_FULL_URI": self.uri, "AWS_CONTAINER_AUTHORIZATION_TOKEN": TOKEN}

    def _serve(self):
        while True:
            client, _ = self.socket.accept()
            with client:
                try:
                    self._answer(client)
                except OSError:
                    pass  # the client was killed

    def _answer(self, client):
        request = b""
        while b"\r\n\r\n" not in request:
            part = client.recv(4096)
            if not part:
                return
            request += part
        good = f"authorization: {TOKEN}\r\n".encode() in request.lower()
        body = self._credentials() if good else b'{"message":"Forbidden"}'
        head = f"HTTP/1.1 {'200 OK' if good else '403 Forbidden'}\r\nDate: {formatdate(usegmt=True)}\r\n"
        head += f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
        client.sendall(head.encode() + body)

    def _credentials(self):
        self.count += 1
        # A session token of realistic length: real ones have 800 to 1,200 characters.
        return json.dumps({
            "Type": "", "LastUpdated": "1970-01-01T00:00:00Z", "Code": "Success",
            "AccessKeyId": f"ASIABENCH{self.count:011}", "SecretAccessKey": "s" * 40, "Token": "t" * 1000,
            "Expiration": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + LIFE)),
        }).encode()

"""receiver.py SECRET N: a webhook that verifies N messages with the package standardwebhooks.

It prints its port, then each message, and ends with an error if the package refuses a message, accepts
a changed one, or N different messages do not arrive within two minutes."""

import http.server
import sys

from standardwebhooks.webhooks import Webhook, WebhookVerificationError

verifier = Webhook(sys.argv[1])
seen = set()


class Receiver(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        message = verifier.verify(body, dict(self.headers))
        try:
            verifier.verify(body.replace('"bucket"', '"other"', 1), dict(self.headers))
            raise SystemExit("a changed message was accepted")
        except WebhookVerificationError:
            pass
        seen.add((self.path, self.headers["webhook-id"]))
        print("verified", self.headers["webhook-id"], message["type"], message["data"]["execution_id"], flush=True)
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_):
        pass


class Server(http.server.HTTPServer):
    timeout = 120

    def handle_timeout(self):
        raise SystemExit(f"only {len(seen)} messages arrived")

    def handle_error(self, *_):
        raise


server = Server(("127.0.0.1", 0), Receiver)
print(server.server_port, flush=True)
while len(seen) < int(sys.argv[2]):
    server.handle_request()

#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""registry.py LOG - a registry on the loopback that wants a token, and its token server.

Prints its port. LOG gets a line for each request: path and Authorization. It knows ann with the
password "pass:w$rd", and gives her a refresh token.
"""
import base64
import http.server
import json
import sys

ANN = "Basic " + base64.b64encode(b"ann:pass:w$rd").decode()


class Handler(http.server.BaseHTTPRequestHandler):
    def answer(self, status, document, challenge=None):
        body = json.dumps(document).encode()
        self.send_response(status)
        if challenge:
            self.send_header("WWW-Authenticate", challenge)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        who = self.headers.get("Authorization", "-")
        with open(sys.argv[1], "a") as log:
            print(self.path, who, file=log)
        if self.path.startswith("/token?"):
            if who == ANN:
                self.answer(200, {"token": "once", "refresh_token": "for-long", "expires_in": 60})
            else:
                self.answer(401, {"details": "incorrect username or password"})
        elif who == "Bearer once":
            self.answer(200, {})
        else:
            port = self.server.server_address[1]
            self.answer(401, {}, f'Bearer realm="http://127.0.0.1:{port}/token",service="test"')

    def log_message(self, *_):
        pass


server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
print(server.server_address[1], flush=True)
server.serve_forever()

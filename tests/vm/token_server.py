#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""token_server.py PORT CERT KEY SIGNING_CERT SIGNING_KEY LOG - tokens for a real registry, over TLS

ann (password "secret") may pull and push below ann/, everybody may pull below public/. Each
request's query and whether it came with a password is a line of LOG.
Source: distribution's token authentication; RFC 7519, RFC 7515 (x5c).
"""
import base64
import http.server
import json
import ssl
import subprocess
import sys
import time
import urllib.parse

port, cert, key, signing_cert, signing_key, log_path = sys.argv[1:]
ANN = "Basic " + base64.b64encode(b"ann:secret").decode()


def url64(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def granted(scope, is_ann):
    kind, name, actions = scope.split(":")
    allowed = set()
    if name.startswith("public/"):
        allowed = {"pull"}
    elif is_ann and name.startswith("ann/"):
        allowed = {"pull", "push"}
    return {"type": kind, "name": name, "actions": sorted(allowed & set(actions.split(",")))}


def token(service, access):
    der = subprocess.run(["openssl", "x509", "-in", signing_cert, "-outform", "DER"],
                         stdout=subprocess.PIPE, check=True).stdout
    now = int(time.time())
    head = {"typ": "JWT", "alg": "RS256", "x5c": [base64.b64encode(der).decode()]}
    claims = {"iss": "tokens", "aud": service, "sub": "", "nbf": now - 60, "iat": now,
              "exp": now + 300, "jti": str(time.monotonic_ns()), "access": access}
    text = ".".join(url64(json.dumps(part).encode()) for part in (head, claims))
    signed = subprocess.run(["openssl", "dgst", "-sha256", "-sign", signing_key],
                            input=text.encode(), stdout=subprocess.PIPE, check=True).stdout
    return text + "." + url64(signed)


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        query = urllib.parse.parse_qs(urllib.parse.urlsplit(self.path).query)
        who = self.headers.get("Authorization")
        with open(log_path, "a") as log:
            print(urllib.parse.unquote(self.path), "password" if who else "nobody", file=log)
        if who and who != ANN:
            self.answer(401, {"details": "incorrect username or password"})
            return
        access = [granted(scope, who == ANN)
                  for line in query.get("scope", []) for scope in line.split()]
        self.answer(200, {"token": token(query["service"][0], access), "expires_in": 300})

    def answer(self, status, document):
        body = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", int(port)), Handler)
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(cert, key)
server.socket = context.wrap_socket(server.socket, server_side=True)
server.serve_forever()

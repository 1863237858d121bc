"""A TLS proxy for tests: ends TLS at a free port of 127.0.0.1 and passes on what it hears, both ways.

As nginx and Envoy do, it puts its own name in the header Server. It prints "listens at PORT" on standard error.
"""
import argparse
import socket
import ssl
import sys
import threading

parser = argparse.ArgumentParser()
parser.add_argument("--certificate", required=True)
parser.add_argument("--key", required=True)
parser.add_argument("--to", type=int, required=True, help="port of 127.0.0.1 that speaks plain HTTP")
parser.add_argument("--cut-after", type=int, help="bytes of each connection's answers; then it is closed")
options = parser.parse_args()

tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
tls.load_cert_chain(options.certificate, options.key)


def pass_requests(client, coordinator):
    try:
        while data := client.recv(65536):
            coordinator.sendall(data)
        coordinator.shutdown(socket.SHUT_WR)
    except OSError:  # either side has gone: the other direction ends by itself
        pass


def pass_answers(client, coordinator):
    left = options.cut_after
    while data := coordinator.recv(65536):
        data = data.replace(b"Server: ranktide", b"Server: tlsproxy")
        client.sendall(data[:left])
        if left is not None and (left := left - len(data)) <= 0:
            return


def serve(raw):
    try:
        with raw, tls.wrap_socket(raw, server_side=True) as client:
            with socket.create_connection(("127.0.0.1", options.to)) as coordinator:
                threading.Thread(target=pass_requests, args=(client, coordinator), daemon=True).start()
                pass_answers(client, coordinator)
                client.shutdown(socket.SHUT_RDWR)  # wakes the other thread, without which nothing is closed
    except OSError as error:  # a client that refuses our certificate, among others
        print(error, file=sys.stderr, flush=True)


with socket.create_server(("127.0.0.1", 0)) as listener:
    print("listens at", listener.getsockname()[1], "", file=sys.stderr, flush=True)
    while True:
        threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()

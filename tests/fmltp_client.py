"""A FlexMusic client with the library that real ones use: fmltp_client.py HOST PORT [COMMAND]...

Shakes hands, gives the commands, and prints what comes of each step, a line for each. As in the real client, one
packet is one write, and what one read gives is taken for a packet.
"""

import base64
import socket
import sys

from cryptography.fernet import Fernet
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

VERSION = "FlexMusic Python Client Library,0.0.0\r\n"
# Nothing of the server's is longer here.
MOST = 4096
# How old a token may be, in seconds.
AGE = 60


def show(step, text):
    """Prints a step in one line."""
    print(step, text.replace("\r\n", "|"), flush=True)


def receive(server):
    """The next packet; none at the end of the stream."""
    return server.recv(MOST)


def exchange_versions(server):
    """Steps 1 and 2: what the server is, which its challenge will be."""
    greeting = receive(server).decode()
    show("SERVER_VEX_INIT", greeting)
    server.sendall(VERSION.encode())
    return greeting


def exchange_keys(server):
    """Steps 3 to 5: the cipher that both sides have in the end."""
    parameters = serialization.load_pem_parameters(receive(server))
    numbers = parameters.parameter_numbers()
    show("SERVER_KEX_INIT", f"{numbers.p.bit_length()} bits, generator {numbers.g}")
    private = parameters.generate_private_key()
    public = private.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    server.sendall(public)
    theirs = serialization.load_pem_public_key(receive(server))
    show("SERVER_KEX_ID", f"{theirs.key_size} bits")
    shared = private.exchange(theirs)
    key = HKDF(algorithm=hashes.SHA256(), length=32, salt=None, info=None).derive(shared)
    return Fernet(base64.urlsafe_b64encode(key))


def ask(server, cipher, text):
    """Sends a text and gives the answer to it."""
    server.sendall(cipher.encrypt(text.encode()))
    return cipher.decrypt(receive(server), ttl=AGE).decode()


def main(host, port, commands):
    """Runs all of it."""
    with socket.create_connection((host, int(port)), timeout=30) as server:
        greeting = exchange_versions(server)
        cipher = exchange_keys(server)
        show("READY", ask(server, cipher, greeting.strip()))
        for command in commands:
            # The real client ends this command, and no other, in a line end.
            text = command + "\r\n" if command.startswith("AUTH ") else command
            show(command.split(" ")[0], ask(server, cipher, text))
        if commands and commands[-1] == "QUIT":
            show("END", "in order" if receive(server) == b"" else "with more")


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3:])

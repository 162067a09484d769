"""A chapp client in the manner of the public project's: chapp_client.py HOST PORT NAME [COMMAND]...

Introduces itself, carries out the commands, and prints what comes of each step, a line for each. A command is `post
TO TEXT`, `until N` (waits until N messages have come, those counted that were there at the beginning) or `goodbye`.
Texts are printed in hexadecimal digits.

Requests end in nothing. What comes is read 1,024 bytes at a time at most, until it ends in SEP. The public project's
client takes that for one message, and dies of two; where the system kept this one from reading for a while, that is
not the server's fault, so that it takes what there is. Messages are read as what Python would print for them.
"""

import ast
import itertools
import socket
import sys

SEP = "\\\n"
MOST = 1024
FIELDS = {"timestamp", "message", "from_user", "to_user"}


def show(step, *words):
    """Prints a step in one line."""
    print(step, *words, flush=True)


def told(message):
    """What a message says, after checks of what it is made of."""
    assert isinstance(message, dict) and set(message) == FIELDS, message
    assert all(isinstance(value, str) for value in message.values()), message
    return [message["from_user"], message["message"].encode().hex()]


def messages(text):
    """What was received, as one message or more: the action, the way and the fields of each."""
    for line in filter(None, text.split(SEP)):
        if line.startswith(("POST\t", "RESPONSE\t")):
            action, way = line.split("\t")
            fields = {}
            yield action, way, fields
            continue
        label, value = line.split(":", 1)
        assert label.lower() not in fields or label == "id", f"twice in {text!r}"
        fields[label.lower()] = value.lstrip()


class Client:
    """One connection."""

    def __init__(self, host, port, name):
        self.server = socket.create_connection((host, port), timeout=30)
        self.name = name
        self.ids = itertools.count()
        self.received = []
        self.messages = []

    def receive(self):
        """The next message: its action, its way, its fields."""
        if not self.received:
            data = b""
            while not data.endswith(SEP.encode()):
                more = self.server.recv(MOST)
                assert more, f"the end behind {data!r}"
                data += more
            self.received = list(messages(data.decode()))
        return self.received.pop(0)

    def ask(self, action, to, fields=""):
        """The fields of the reply to a request; messages that come first are noted."""
        own = str(next(self.ids))
        self.server.sendall(f"{action}\t{self.name}->{to}{SEP}ID:{own}{fields}".encode())
        while True:
            got, way, reply = self.receive()
            if got == "POST":
                self.note(way, reply)
                continue
            assert got == "RESPONSE" and reply["for"] == own, (got, reply)
            return reply

    def note(self, way, fields):
        """Takes a message that is delivered, and says so."""
        assert way.endswith(f"->{self.name}") and fields["id"].isdigit(), (way, fields)
        message = ast.literal_eval(fields["message"])
        self.messages.append(message)
        show("HEARD", *told(message))

    def introduce(self):
        """Says who it is, and takes the messages that have waited."""
        reply = self.ask("INTRODUCE", "server")
        show("INTRODUCE", reply["status"], reply.get("reason", reply.get("username")))
        self.messages = ast.literal_eval(reply.get("messages", "[]"))
        for message in self.messages:
            show("FOUND", *told(message))

    def post(self, to, text):
        """Sends a message."""
        reply = self.ask("POST", to, f"{SEP}message: {text}")
        kept = told(ast.literal_eval(reply["message"])) if reply["status"] == "100" else [reply["reason"]]
        show("POST", reply["status"], *kept)

    def until(self, count):
        """Waits until so many messages have come."""
        while len(self.messages) < count:
            action, way, fields = self.receive()
            assert action == "POST", (action, fields)
            self.note(way, fields)

    def goodbye(self):
        """Leaves."""
        show("GOODBYE", self.ask("GOODBYE", "server")["status"])


def main(host, port, name, commands):
    """Runs all of it."""
    client = Client(host, int(port), name)
    client.introduce()
    for command in commands:
        match command.split(" ", 2):
            case ["post", to, text]:
                client.post(to, text)
            case ["until", count]:
                client.until(int(count))
            case ["goodbye"]:
                client.goodbye()
            case _:
                sys.exit(f"no command: {command!r}")


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3], sys.argv[4:])

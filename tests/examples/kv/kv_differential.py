#!/usr/bin/env python3
"""Says the same to kv_server and to a real redis-server and compares what they answer, byte by byte.

usage: kv_differential.py BUILD_FOLDER_OF_THE_EXAMPLES
Without redis-server (or Debian's redis-tools, which have it under another name) it is skipped.
"""
import os
import random
import shutil
import socket
import subprocess
import sys
import tempfile
import time

PATIENCE = 20

# One connection each; a line is an inline command. Times of life are asked for only where both must give the same answer.
CONVERSATIONS = r"""
foo | foo a b c | client | client foo | client setname | client setname "a b" | client getname | client setname me | client getname
client kill | client kill 1.2.3.4:5 | client kill id x | client kill id 0 | client kill id 99999 | client kill foo bar | client kill type foo
client kill user nobody | client list foo | client list type foo | client list id x | client kill id 1 skipme maybe | client list type pubsub
config | config get | config foo | config get appendonly | config get sav* | config get nothing
select | select x | select 16 | select -1 | select 0 | select 99999999999999999999
hello 1 | hello 4 | hello x | hello 2 setname | hello 2 foo | hello 2 setname "a b"
ping | ping a | ping a b | echo | echo a | echo a b | command foo | command count x
set a | set a b ex | set a b ex x | set a b ex 0 | set a b ex -1 | set a b px 9223372036854775807 | set a b ex 9223372036854775
set a b ex 10 px 10 | set a b nx xx | set a b foo | set a b nx | set a c nx | get a | set none b xx | get none | set a d XX eX 100 | ttl a | set a e | ttl a
expire a 10 foo | expire a x | expire a 9223372036854775807 | expire none 10 | expire a 100 | ttl a | append a x | ttl a | expire a -1 | get a | expire
incr n | incrby n 41 | decr n | decrby n 2 | get n | incr n x | set n 9223372036854775807 | incr n | incrby n 1 | incrby n x | decrby n -1 | decr n
decrby n -9223372036854775808 | set n " 1" | incr n | set n 01 | incr n | set n -0 | incr n | set n "" | incr n | set n +1 | incr n | incr s
append s | append s abc | append s "" | append s "\x00\r\n" | get s | strlen s | strlen none | strlen s s | type s | type none | type
mset a | mset a 1 b | mset a 1 b 2 a 3 | mget a b c | mget | exists a a b c | exists | del a a b c | del | mget a b
keys | keys * * | scan | scan x | scan 0 match | scan 0 count x | scan 0 count 0 | scan 0 foo bar | scan 18446744073709551616 | scan " 0"
flushall foo | flushall sync x | flushall async | dbsize | dbsize x | set "" empty | get "" | dbsize | flushall SYNC | dbsize
ttl none | pttl none | pttl | ttl | SeT q 1 | GeT q | quit
quit a b
set "a\nb" 'c\'d' | get "a\x0ab" | "\x66oo" | a\
"""

RAW = [
    b"*1\r\n:1\r\n", b"*x\r\n", b"*\r\n", b"*+1\r\n", b"*01\r\n", b"*2147483648\r\n", b"*1\r\n$x\r\n", b"*1\r\n$-1\r\n", b"*1\r\n$+1\r\n", b"*1\r\n$01\r\n",
    b"*1\r\n$536870913\r\n", b"*1\r\n\r\n", b"PING\r\n*x\r\nPING\r\n", b"*1\r\n$4\r\nPINGxx*1\r\n$4\r\nPING\r\n", b"*0\r\n*-5\r\n\r\nPING\r\n", b"*1\rxPING\r\n",
    b"*1\r\n$0\r\n\r\n", b"*1\r\n$4\r\na\r\nb\r\n", b"set \"a\r\n", b"'a b'c\r\n", b"\"\\\"\r\n", b"x" * 65537, b"*" + b"1" * 65537, b"*1\r\n$" + b"1" * 65537,
    b"*2\r\n$3\r\nfoo\r\n$200\r\n" + b"a" * 200 + b"\r\n", b"*1\r\n$200\r\n" + b"z" * 200 + b"\r\n", b"*2\r\n$6\r\nconfig\r\n$200\r\n" + b"z" * 200 + b"\r\n",
    b"PING\nPING\r\n \r\nPING\n", b"QUIT\r\nPING\r\n",
]


def encoded(*words):
    words = [word if isinstance(word, bytes) else str(word).encode() for word in words]
    return b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%s\r\n" % (len(word), word) for word in words)


class peer:
    def __init__(self, address):
        self.socket = socket.create_connection(address, PATIENCE)
        self.stream = self.socket.makefile("rb")

    def reply(self):
        line = self.stream.readline()
        if line[:1] == b"$" and line != b"$-1\r\n":
            return line + self.stream.read(int(line[1:]) + 2)
        if line[:1] == b"*":
            return [line] + [self.reply() for _ in range(int(line[1:]))]
        return line or b"<end>"

    def ask(self, request):
        self.socket.sendall(request)
        return self.reply()

    def everything(self, request):
        """All that comes until the server ends, which it does by itself or because no more requests can come."""
        self.socket.sendall(request)
        self.socket.shutdown(socket.SHUT_WR)
        data = b""
        while part := self.socket.recv(65536):
            data += part
        return data


def compare(what, ours, theirs):
    assert ours == theirs, f"{what[:200]!r}:\n  kv_server    {ours!r}\n  redis-server {theirs!r}"


def conversations(ours, theirs):
    for line in CONVERSATIONS.strip().splitlines():
        pair = peer(ours), peer(theirs)
        for command in line.split(" | "):
            compare(line + " -- at -- " + command, *(each.ask(command.encode() + b"\r\n") for each in pair))


def raw_bytes(ours, theirs):
    for data in RAW:
        compare(data, *(peer(address).everything(data) for address in (ours, theirs)))


def random_request(chance):
    key = chance.choice(["a", "b", "c", "d", "e", b"\x00\xff\r\n"])
    value = chance.choice(["", "1", "-7", "x", "10", 2**63 - 1, -(2**63), b"\r\n\x00"])
    number = chance.choice([0, 1, -1, 5, 2**63 - 1, -(2**63), "x"])
    return encoded(*chance.choice([
        ["set", key, value], ["set", key, value, chance.choice(["nx", "XX"])], ["set", key, value, "ex", 1000], ["get", key], ["del", key, chance.choice("abc")],
        ["exists", key, key], ["incr", key], ["decr", key], ["incrby", key, number], ["decrby", key, number], ["append", key, value], ["strlen", key],
        ["mset", key, value, "a", 5], ["mget", key, "a", "none"], ["expire", key, chance.choice([1000, -1, 0])], ["ttl", key], ["type", key], ["dbsize"],
    ]))


def random_requests(ours, theirs):
    chance = random.Random(12)
    pair = peer(ours), peer(theirs)
    for _ in range(3000):
        request = random_request(chance)
        compare(request, *(each.ask(request) for each in pair))


def random_globs(ours, theirs):
    chance = random.Random(5)
    pair = peer(ours), peer(theirs)
    letters = b"abc[]\\-*?^"
    word = lambda longest: bytes(chance.choice(letters) for _ in range(chance.randint(1, longest)))
    for request in [encoded("flushall")] + [encoded("set", word(4), 1) for _ in range(100)]:
        compare(request, *(each.ask(request) for each in pair))
    for _ in range(500):
        request = encoded("keys", word(6))
        compare(request, *(sorted(each.ask(request)) for each in pair))


def start(command, is_ready, executable=None):
    process = subprocess.Popen(command, executable=executable, stdout=subprocess.PIPE)
    for line in process.stdout:
        if (found := is_ready(line.decode())) is not None:
            return process, found
    sys.exit(f"{command[0]} ended with {process.wait()}")


def main():
    redis = shutil.which("redis-server") or shutil.which("redis-check-rdb")  # one program, which goes by the name that it is called by
    if redis is None:
        print("neither redis-server nor redis-check-rdb, which is the same program, is installed")
        sys.exit(77)
    with tempfile.TemporaryDirectory() as folder, socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
        free.close()
        running = []
        try:
            server, ours = start([os.path.join(sys.argv[1], "kv_server"), "tcp://127.0.0.1:0", "--max-bulk", str(512 << 20)],
                                 lambda line: int(line.rsplit(":", 1)[1]))
            running.append(server)
            server, _ = start(["redis-server", "--port", str(port), "--save", "", "--dir", folder, "--databases", "16"],
                              lambda line: True if "Ready to accept" in line else None, redis)
            running.append(server)
            for compare_all in (conversations, raw_bytes, random_requests, random_globs):
                compare_all(("127.0.0.1", ours), ("127.0.0.1", port))
        finally:
            for server in running:
                server.terminate()
                server.communicate(timeout=PATIENCE)


main()

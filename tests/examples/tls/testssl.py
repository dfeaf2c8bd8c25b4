#!/usr/bin/env python3
"""Lets testssl.sh look at echo over TLS.

usage: testssl.py FOLDER_OF_THE_EXAMPLES [OPTION…]

What is LOW or worse, or could not be looked at, is printed. Nothing above LOW may be found, but about the certificate (`cert_…`), which is one of
this program's: for a year, by an authority of its own, with names and an OCSP responder that nobody can ask. OPTION… goes to testssl.sh:
`--protocols` alone, say, for a first look.
"""
import argparse
import json
import os
import re
import signal
import subprocess
import sys
import tempfile

SERIOUS = ("MEDIUM", "HIGH", "CRITICAL", "FATAL")
LOOKED_AT = ("SSLv2", "SSLv3", "TLS1", "TLS1_1", "TLS1_2", "TLS1_3", "cipherlist_NULL", "cipherlist_aNULL", "cipherlist_EXPORT", "cert_ocspURL", "heartbleed",
             "CCS", "ROBOT", "secure_renego", "secure_client_renego", "POODLE_SSL", "SWEET32", "LOGJAM", "BEAST", "LUCKY13", "RC4")  # of a whole look


def openssl(*arguments):
    done = subprocess.run(["openssl", *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def make_certificates(folder):
    """ca.pem, and server.pem with server.key, in the folder."""

    def path(name):
        return os.path.join(folder, name)

    new = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")
    openssl("req", "-x509", *new, "-keyout", path("ca.key"), "-out", path("ca.pem"), "-days", "400", "-subj", "/CN=an authority for testssl.sh",
            "-addext", "keyUsage=critical,keyCertSign,cRLSign")
    openssl("req", *new, "-keyout", path("server.key"), "-out", path("server.csr"), "-subj", "/CN=localhost")
    with open(path("extensions"), "w", encoding="ascii") as extensions:
        extensions.write("subjectAltName=DNS:localhost,IP:127.0.0.1\nauthorityInfoAccess=OCSP;URI:http://127.0.0.1:1/\n"
                         "keyUsage=critical,digitalSignature\nextendedKeyUsage=serverAuth\nbasicConstraints=critical,CA:FALSE\n")
    openssl("x509", "-req", "-in", path("server.csr"), "-CA", path("ca.pem"), "-CAkey", path("ca.key"), "-CAcreateserial", "-days", "365",
            "-extfile", path("extensions"), "-out", path("server.pem"))


def look(folder, options):
    """What testssl.sh found: a list of findings, each with an id, a severity and words."""
    make_certificates(folder)
    endpoint = f"tls://127.0.0.1:0?cert={folder}/server.pem&key={folder}/server.key"
    with subprocess.Popen([os.path.join(OF_THE_USER.folder, "echo"), endpoint], stdout=subprocess.PIPE, text=True) as echo:
        try:
            port = re.search(r"//127\.0\.0\.1:(\d+)", echo.stdout.readline())[1]
            found = os.path.join(folder, "found.json")
            command = ["testssl", "--add-ca", f"{folder}/ca.pem", "--nodns", "none", "--warnings", "off", "--quiet", "--color", "0", "--jsonfile", found,
                       *options, f"127.0.0.1:{port}"]
            done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, text=True, check=False)
            assert os.path.exists(found), f"testssl.sh ended with {done.returncode} and without findings:\n{done.stdout}"
            assert echo.poll() is None, f"echo ended with {echo.returncode}"
            with open(found, encoding="utf-8") as findings:
                return json.load(findings)
        finally:
            echo.send_signal(signal.SIGTERM)


def judge(findings, whole):
    for each in findings:
        if each["severity"] in ("LOW", "WARN", *SERIOUS):
            print(f"{each['severity']:8}  {each['id']}: {each['finding']}")
    counts = {}
    for each in findings:
        counts[each["severity"]] = counts.get(each["severity"], 0) + 1
    print(f"{len(findings)} findings: " + ", ".join(f"{number} {severity}" for severity, number in sorted(counts.items())))
    missing = [each for each in LOOKED_AT if each not in {found["id"] for found in findings}] if whole else []
    assert not missing, f"testssl.sh has not looked at {', '.join(missing)}"
    assert findings, "testssl.sh has found nothing at all"
    bad = [each["id"] for each in findings if each["severity"] in SERIOUS and not each["id"].startswith("cert_")]
    assert not bad, f"above LOW: {', '.join(bad)}"


parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("folder", help="where echo is")
OF_THE_USER, of_testssl = parser.parse_known_args()
with tempfile.TemporaryDirectory() as work:
    try:
        judge(look(work, of_testssl), not of_testssl)
    except AssertionError as error:
        sys.exit(f"testssl.py: {error}")

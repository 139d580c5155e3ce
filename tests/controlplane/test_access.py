"""Who may do what: groups on the Unix socket by real users, names in real certificates on TCP, and what a scraper
gets on plain TCP."""

import grp
import http.client
import json
import os
import re
import signal
import socket
import ssl
import subprocess
import sys

import pytest

from conftest import PLAIN, wait_for

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
STRANGER = 65534
PATCH = ("PATCH", "/v1/pools/web/backends/web1", '{"weight": 5}')
CHECK = ("POST", "/v1/config/check", PLAIN)

# Started by the dozen, so without the libraries that take a second to load.
ASK = """
import socket, sys
path, method, target, body = sys.argv[1:]
c = socket.socket(socket.AF_UNIX); c.settimeout(20); c.connect(path)
c.sendall(f"{method} {target} HTTP/1.1\\r\\nHost: x\\r\\nConnection: close\\r\\n"
          f"Content-Length: {len(body)}\\r\\n\\r\\n{body}".encode())
said = b""
try:
    while piece := c.recv(65536): said += piece
except ConnectionResetError:  # not all was read of what it sent; what was answered has come
    pass
head, _, answer = said.partition(b"\\r\\n\\r\\n")
print(head.split()[1].decode()); print(answer.decode())
"""


def start(daemon, *options):
    daemon.write(PLAIN)
    plain = daemon.arguments
    daemon.arguments = lambda: [*plain(), *options]
    return daemon.start()


def refusal(daemon, *options):
    """What the daemon says when it does not start, and its exit code."""
    daemon.write(PLAIN)
    done = subprocess.run([*daemon.arguments(), *options], capture_output=True, text=True, timeout=30)
    return done.returncode, done.stderr


def ask_as(daemon, groups, method, path, body="", uid=STRANGER):
    """(status, body) as another user of these groups."""
    user = ["setpriv", f"--reuid={uid}", f"--regid={STRANGER}",
            f"--groups={','.join(groups)}" if groups else "--clear-groups"]
    os.chmod(daemon.directory, 0o755)
    done = subprocess.run([*user, "/usr/bin/python3", "-I", "-S", "-c", ASK, daemon.socket, method, path,
                           body or ""], capture_output=True, text=True, timeout=30)
    assert done.returncode == 0, done.stderr
    status, _, answer = done.stdout.partition("\n")
    return int(status), answer


@pytest.fixture
def groups():
    """Two groups that this machine has, by name and number."""
    if os.geteuid() != 0:
        pytest.skip("only root may be another user")
    some = [group for group in grp.getgrall() if 0 < group.gr_gid < STRANGER][:2]
    return [(group.gr_name, str(group.gr_gid)) for group in some]


def test_groups_divide_readers_from_admins(daemon, groups):
    (admin, admin_gid), (reader, reader_gid) = groups
    api = start(daemon, "--api-admin-group", admin, "--api-read-group", reader)
    assert os.stat(api.socket).st_mode & 0o777 == 0o666
    assert ask_as(api, [admin_gid], *PATCH)[0] == 200
    assert ask_as(api, [reader_gid, admin_gid], *PATCH)[0] == 200
    for method, path, body in (PATCH, ("DELETE", PATCH[1], ""), ("PUT", "/v1/config", PLAIN),
                               ("POST", "/v1/config/reload", ""),
                               ("POST", "/v1/pools/web/backends", '{"name": "a", "address": "10.0.0.9"}')):
        status, answer = ask_as(api, [reader_gid], method, path, body)
        error = json.loads(answer)["error"]
        assert status == 403 and error["kind"] == "forbidden", (method, path)
        assert error["message"] == (f"user {STRANGER} may not change this: root, maglb's own user and the group of "
                                    "--api-admin-group may")
    assert api.backend("web", "web1")["weight"] == 5
    assert ask_as(api, [reader_gid], "GET", "/v1/config")[0] == 200
    assert ask_as(api, [reader_gid], "GET", "/metrics")[0] == 200
    assert ask_as(api, [reader_gid], *CHECK)[0] == 200
    for method, path, body in (("GET", "/v1/status", ""), ("GET", "/livez", ""), PATCH, CHECK):
        status, answer = ask_as(api, [], method, path, body)
        assert status == 403 and "--api-admin-group may" in answer
    assert ask_as(api, [], *PATCH, uid=0)[0] == 200


def test_little_is_read_of_who_may_not_ask(daemon, groups):
    """16 KiB are: enough to be told so, and too little to fill the memory with."""
    (admin, admin_gid), (_, reader_gid) = groups
    api = start(daemon, "--api-admin-group", admin)
    assert ask_as(api, [], "PUT", "/v1/config", "x" * 16000)[0] == 403
    assert ask_as(api, [reader_gid], "PUT", "/v1/config", "x" * 17000)[0] == 413
    assert ask_as(api, [], "POST", "/v1/config/check", "x" * 17000)[0] == 413
    assert ask_as(api, [admin_gid], "PUT", "/v1/config", PLAIN + "#" * 17000)[0] == 200


def test_without_groups_the_sockets_mode_decides(daemon, groups):
    api = start(daemon)
    assert os.stat(api.socket).st_mode & 0o777 == 0o660
    with pytest.raises(AssertionError, match="PermissionError"):
        ask_as(api, [], "GET", "/livez")
    os.chown(api.socket, -1, int(groups[0][1]))
    assert ask_as(api, [groups[0][1]], *PATCH)[0] == 200


def test_a_group_that_is_not_there_is_refused(daemon):
    code, said = refusal(daemon, "--api-admin-group", "no-such-group")
    assert code == 1 and "there is no group no-such-group" in said


def test_strangers_keep_no_place_from_the_operator(daemon, groups):
    """A crowd without rights, which may connect, does not shut out root."""
    api = start(daemon, "--api-admin-group", groups[0][0])
    os.chmod(api.directory, 0o755)
    script = ("import socket,sys\nkept=[]\nfor _ in range(200):\n s=socket.socket(socket.AF_UNIX); s.connect(sys.argv[1])"
              "\n kept.append(s)\nprint('there',flush=True)\nsys.stdin.read()")
    crowd = subprocess.Popen(["setpriv", f"--reuid={STRANGER}", f"--regid={STRANGER}", "--clear-groups", sys.executable,
                              "-c", script, api.socket], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        assert crowd.stdout.readline() == "there\n"
        for _ in range(20):
            assert api.answers()
    finally:
        crowd.communicate("")


EXEC = PLAIN.replace("health: {type: none}", "health: {type: exec, command: [PROGRAM], interval: 1s}", 1)


def test_programs_are_run_from_the_directory_of_the_option_only(daemon, directory):
    if os.geteuid() != 0:
        pytest.skip("programs have to be root's")
    programs = os.path.join(directory, "programs")
    os.mkdir(programs, 0o755)
    good, open_to_all = os.path.join(programs, "good"), os.path.join(programs, "open")
    for path, mode in ((good, 0o755), (open_to_all, 0o757)):
        with open(path, "w", encoding="ascii") as file:
            file.write("#!/bin/sh\nexit 0\n")
        os.chmod(path, mode)
    allowed = EXEC.replace("PROGRAM", good)
    daemon.write(allowed)
    for check in ([], ["--check"]):
        done = subprocess.run([*daemon.arguments(), *check], capture_output=True, text=True, timeout=30)
        assert done.returncode == 3 and "--exec-dir" in done.stderr, done.stderr
    api = start(daemon, "--exec-dir", programs)
    # The last is the allowed one, by a way that others could bend.
    for path in ("/bin/true", open_to_all, programs + "/../programs/nobody", programs + "/../programs/good"):
        for method, where in (("PUT", "/v1/config"), ("POST", "/v1/config/check")):
            answer = api.call(method, where, EXEC.replace("PROGRAM", path), status=400)
            assert path in answer["error"]["message"], answer
    api.call("PUT", "/v1/config", allowed)
    wait_for(lambda: api.backend("web", "web1")["health"] == "healthy", "the program is run")
    os.chmod(good, 0o775)
    api.call("PATCH", "/v1/pools/web/backends/web2", {"weight": 5})
    assert api.backend("web", "web1")["health"] == "unknown"
    assert any(good in warning for warning in api.get("/v1/status")["warnings"])
    # Mended, it is looked at again when the file is read, which has not changed.
    os.chmod(good, 0o755)
    api.call("POST", "/v1/config/reload")
    wait_for(lambda: api.backend("web", "web1")["health"] == "healthy", "the program is run again")
    assert not any(good in warning for warning in api.get("/v1/status")["warnings"])


# TCP

def openssl(directory, *arguments):
    subprocess.run(["openssl", *arguments], cwd=directory, check=True, capture_output=True, timeout=60)


def make_ca(directory, name):
    openssl(directory, "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days",
            "30", "-subj", f"/CN={name}", "-keyout", f"{name}.key", "-out", f"{name}.pem")


def make_leaf(directory, ca, name, common_name=None, dates=("-days", "30")):
    """NAME.pem and NAME.key, signed by the CA."""
    openssl(directory, "req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-subj",
            f"/O=maglb/CN={common_name or name}", "-keyout", f"{name}.key", "-out", f"{name}.csr")
    with open(os.path.join(directory, "extensions"), "w", encoding="ascii") as file:
        file.write("subjectAltName=IP:127.0.0.1\n")
    openssl(directory, "x509", "-req", "-in", f"{name}.csr", "-CA", f"{ca}.pem", "-CAkey", f"{ca}.key",
            "-CAcreateserial", "-extfile", "extensions", *dates, "-out", f"{name}.pem")


@pytest.fixture(scope="module")
def certificates(tmp_path_factory):
    path = str(tmp_path_factory.mktemp("certificates"))
    make_ca(path, "ca")
    make_ca(path, "other")
    make_leaf(path, "ca", "server")
    make_leaf(path, "ca", "server2")
    make_leaf(path, "ca", "alice")
    make_leaf(path, "ca", "bob")
    make_leaf(path, "other", "mallory", "alice")
    make_leaf(path, "ca", "late", "alice", ("-days", "-1"))
    return path


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def tls_options(certificates, port, server="server"):
    return ["--api-listen", f"127.0.0.1:{port}", "--api-cert", f"{certificates}/{server}.pem", "--api-key",
            f"{certificates}/{server}.key", "--api-client-ca", f"{certificates}/ca.pem", "--api-admin-name", "carol",
            "--api-admin-name", "alice"]


def client_context(certificates, name=None, version=None):
    context = ssl.create_default_context(cafile=f"{certificates}/ca.pem")
    if name:
        context.load_cert_chain(f"{certificates}/{name}.pem", f"{certificates}/{name}.key")
    if version:
        context.minimum_version = context.maximum_version = version
    return context


def ask_tls(port, context, method, path, body=None):
    connection = http.client.HTTPSConnection("127.0.0.1", port, timeout=20, context=context)
    try:
        connection.request(method, path, body=body)
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


@pytest.fixture
def secured(daemon, certificates):
    port = free_port()
    return start(daemon, *tls_options(certificates, port)), port


def test_a_certificates_name_says_who_may_change(secured, certificates):
    _, port = secured
    alice, bob = client_context(certificates, "alice"), client_context(certificates, "bob")
    assert ask_tls(port, alice, *PATCH)[0] == 200
    assert ask_tls(port, bob, "GET", "/v1/status")[0] == 200
    assert ask_tls(port, bob, "GET", "/metrics")[0] == 200
    status, body = ask_tls(port, bob, *PATCH)
    error = json.loads(body)["error"]
    assert status == 403 and error["kind"] == "forbidden" and error["message"].startswith("bob may not")
    assert error["message"] == "bob may not change this: the names of --api-admin-name may"
    newest = json.loads(ask_tls(port, bob, "GET", "/v1/config/revisions?limit=1")[1])["revisions"][0]
    assert newest["who"] == {"user": "alice", "program": "TLS", "uid": None, "gid": None, "pid": None}
    for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
        assert ask_tls(port, client_context(certificates, "bob", version), "GET", "/livez") == (200, b"ok\n")


@pytest.mark.parametrize("name", [None, "mallory", "late"])
@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_no_other_certificate_gets_in(secured, certificates, name, version):
    api, port = secured
    with pytest.raises((ssl.SSLError, ConnectionError, http.client.HTTPException)):
        ask_tls(port, client_context(certificates, name, version), "GET", "/livez")
    assert api.answers()


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_plain_http_and_old_tls_get_nothing(secured, certificates):
    api, port = secured
    with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
        connection.sendall(b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n")
        try:
            said = connection.recv(4096)
        except ConnectionError:
            said = b""
        assert b"ok" not in said and b"HTTP" not in said
    old = client_context(certificates, "alice")
    old.set_ciphers("ALL:@SECLEVEL=0")
    old.minimum_version = ssl.TLSVersion.TLSv1
    old.maximum_version = ssl.TLSVersion.TLSv1_1
    with pytest.raises((ssl.SSLError, ConnectionError)):
        ask_tls(port, old, "GET", "/livez")
    assert api.answers()


def test_silent_peers_on_tcp_keep_no_place(secured, certificates):
    _, port = secured
    crowd = [socket.create_connection(("127.0.0.1", port), timeout=20) for _ in range(150)]
    try:
        for _ in range(5):
            assert ask_tls(port, client_context(certificates, "bob"), "GET", "/livez") == (200, b"ok\n")
    finally:
        for connection in crowd:
            connection.close()


def test_sighup_reads_the_certificates_again(daemon, certificates, directory):
    for kind in ("pem", "key"):
        os.symlink(f"{certificates}/server.{kind}", f"{directory}/server.{kind}")
    os.symlink(f"{certificates}/ca.pem", f"{directory}/ca.pem")
    port = free_port()
    api = start(daemon, *tls_options(directory, port))

    def served():
        with socket.create_connection(("127.0.0.1", port), timeout=20) as raw:
            with client_context(certificates, "bob").wrap_socket(raw, server_hostname="127.0.0.1") as connection:
                return dict(pair[0] for pair in connection.getpeercert()["subject"])["commonName"]

    assert served() == "server"
    for kind in ("pem", "key"):
        os.symlink(f"{certificates}/server2.{kind}", f"{directory}/new")
        os.replace(f"{directory}/new", f"{directory}/server.{kind}")
    api.process.send_signal(signal.SIGHUP)
    wait_for(lambda: served() == "server2", "the new certificate is served")
    os.symlink(f"{certificates}/alice.key", f"{directory}/new")
    os.replace(f"{directory}/new", f"{directory}/server.key")
    api.process.send_signal(signal.SIGHUP)
    wait_for(lambda: "what was read before stays" in open(api.log, encoding="utf-8").read(), "the refusal is logged")
    assert served() == "server2"


def test_tcp_without_all_of_tls_is_refused_at_the_start(daemon, certificates):
    everything = tls_options(certificates, free_port())
    for option in ("--api-cert", "--api-key", "--api-client-ca"):
        at = everything.index(option)
        code, said = refusal(daemon, *everything[:at], *everything[at + 2:])
        assert code == 2 and "mutual TLS only" in said
    code, said = refusal(daemon, *everything[2:])
    assert code == 2 and "need --api-listen" in said
    for option, value, expected in (("--api-cert", "/nowhere", "certificate /nowhere: No such file or directory"),
                                    ("--api-cert", "/dev/null", "certificate /dev/null: none in PEM form is in it"),
                                    ("--api-key", "/nowhere", "key /nowhere: No such file or directory"),
                                    ("--api-key", f"{certificates}/bob.key", "bob.key: it is not that of the certificate"),
                                    ("--api-client-ca", "/nowhere", "client CA /nowhere: No such file or directory"),
                                    ("--api-client-ca", "/dev/null", "client CA /dev/null: none in PEM form is in it"),
                                    ("--api-listen", "localhost:80", "is not ADDRESS:PORT"),
                                    ("--api-listen", "127.0.0.1:0", "is not ADDRESS:PORT"),
                                    ("--api-listen", "::1:80", "is not ADDRESS:PORT")):
        changed = list(everything)
        changed[changed.index(option) + 1] = value
        code, said = refusal(daemon, *changed)
        assert code == 1 and expected in said, said


def test_the_certificates_of_the_page_do(daemon, directory):
    """What docs/api.md makes with openssl, command by command."""
    with open(os.path.join(ROOT, "docs", "api.md"), encoding="utf-8") as file:
        recipe = re.search(r"^    new=.*?\n\n", file.read(), re.MULTILINE | re.DOTALL).group(0)
    subprocess.run(["sh", "-ec", recipe.replace("10.0.0.2", "127.0.0.1")], cwd=directory, check=True, capture_output=True,
                   timeout=60)
    port = free_port()
    start(daemon, "--api-listen", f"127.0.0.1:{port}", "--api-cert", f"{directory}/lb1.pem", "--api-key",
          f"{directory}/lb1.key", "--api-client-ca", f"{directory}/ca.pem", "--api-admin-name", "alice")
    assert ask_tls(port, client_context(directory, "alice"), *PATCH)[0] == 200
    with pytest.raises((ssl.SSLError, ConnectionError, http.client.HTTPException)):
        ask_tls(port, client_context(directory, "lb1"), "GET", "/livez")


def test_a_scraper_gets_metrics_without_a_certificate_and_nothing_else(daemon):
    port = free_port()
    start(daemon, "--metrics-listen", f"127.0.0.1:{port}")

    def ask(method, path, body=None):
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
        connection.request(method, path, body=body)
        answer = connection.getresponse()
        return answer.status, answer.read()

    status, text = ask("GET", "/metrics")
    assert status == 200 and b"maglb_ready" in text
    assert ask("GET", "/livez") == (200, b"ok\n") and ask("GET", "/readyz")[0] == 503
    for method, path, body in (("GET", "/v1/status", None), ("GET", "/v1/config", None), PATCH, CHECK,
                               ("GET", "//v1/status", None), ("GET", "/metrics/../v1/status", None)):
        assert ask(method, path, body)[0] == 404, path
    assert ask("POST", "/metrics", "x")[0] == 405

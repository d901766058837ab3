"""Service mode: upstream is shown tankard's own credential, and tankard's own rules say which clients are admitted."""
import base64
import hashlib
import os
import signal
import ssl
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from support import http, pkt
from support.certificates import Authority
from support.fault_proxy import Edit, Gate, Hang, Respond
from support.files import place
from support.processes import wait_until
from support.tankard import binary, environment
from support.upstream import PASSWORD, USER

NEW_PASSWORD = "an0ther-Pa55word"
CLIENTS_OWN = "clients-0wn-t0ken"
EVERYWHERE = "127.0.0.0/8"


def basic(user, password):
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


def content_of(folder):
    """Every byte below a folder, file names included."""
    found = b""
    for base, folders, files in os.walk(folder):
        found += "\n".join(folders + files).encode()
        for name in files:
            with open(os.path.join(base, name), "rb") as file:
                found += file.read()
    return found


def new_token(name="ci"):
    """`tankard token NAME`: (the token, the line for the tokens file)."""
    made = subprocess.run([binary(), "token", name], capture_output=True, text=True, check=True, env=environment())
    token, line = made.stdout.splitlines()
    return token, line


def bearer(token):
    return [("Authorization", f"Bearer {token}")]


def with_helper(token):
    """git's options for a credential helper that knows the token."""
    return ["-c", f"credential.helper=!f() {{ test \"$1\" = get && echo username=ci && echo password={token}; }}; f"]


@pytest.fixture
def password_of_host(host):
    """Changes the password that the host wants; it is the usual one again after the test."""
    def change(password):
        place(os.path.join(host.root, "htpasswd"), f"{USER}:{{PLAIN}}{password}\n", 0o644)
    yield change
    change(PASSWORD)


@pytest.fixture
def private(new_repository, request):
    """A repository that the host shows only to those who know the password."""
    name = request.node.name.replace("[", "-").replace("]", "")
    return new_repository(f"private/{name}.git").history(8)


def credentials_seen(faults, since=0):
    return {r.header("Authorization") for r in faults.seen(since=since)}


def heard(tankard, name, **fields):
    """The log lines of an event, which may come a moment after what caused it is seen."""
    return wait_until(lambda: tankard.events(name, **fields), f"the log tells of {name}")


def refused_without_a_hint(answer, status=403):
    assert answer.status == status, answer
    assert b"PACK" not in answer.body and not pkt.listing(answer.body)
    return answer.body


class TestAdmission:
    def test_a_client_in_the_network_clones_what_it_has_no_password_for(self, service, faults, git, private, tmp_path):
        tankard = service(networks=EVERYWHERE)
        git.check("clone", "--mirror", tankard.url(private.path), tmp_path / "first")
        git.same_content(private.folder, tmp_path / "first")
        tankard.wait_stored()
        mark = faults.mark()
        git.check("clone", "--mirror", tankard.url(private.path), tmp_path / "second")
        git.same_content(private.folder, tmp_path / "second")
        assert not faults.count("fetch", since=mark, has_pack=True), "one transfer serves all"
        assert credentials_seen(faults) == {basic(USER, PASSWORD)}

    def test_no_rule_is_nobody(self, service, faults, git, private):
        tankard = service()
        for _ in range(2):
            refused_without_a_hint(tankard.advertisement(private.path))
        assert "403" in git.fails("ls-remote", tankard.url(private.path)).err
        assert not faults.records, "upstream is not asked for strangers"

    def test_a_client_of_another_network_is_refused(self, service, faults, private):
        tankard = service(networks="10.0.0.0/8,192.168.0.0/16")
        answer = tankard.advertisement(private.path)
        refused_without_a_hint(answer)
        assert answer.header("WWW-Authenticate") is None, "no password would help"
        assert tankard.wait_request(1)[0]["reason"] == "not-admitted"
        assert not faults.records

    def test_a_token_from_gits_credential_helper_admits(self, service, faults, git, private, tmp_path):
        token, line = new_token()
        tankard = service(tokens_file=place(tmp_path / "tokens", f"# clients\n{line}\n"))
        git.check(*with_helper(token), "clone", "--mirror", tankard.url(private.path), tmp_path / "c")
        git.same_content(private.folder, tmp_path / "c")
        assert credentials_seen(faults) == {basic(USER, PASSWORD)}, "the token is for tankard, not for the host"

    def test_without_or_with_a_wrong_token_the_client_is_asked_for_one(self, service, faults, git, private, tmp_path):
        token, line = new_token()
        tankard = service(tokens_file=place(tmp_path / "tokens", line + "\n"))
        for headers in ([], bearer("wrong"), bearer(token[:-1]), [("Authorization", basic("x", "wrong"))], [("Authorization", basic(token, ""))]):
            answer = tankard.advertisement(private.path, headers)
            refused_without_a_hint(answer, 401)
            assert answer.all("WWW-Authenticate") == ['Basic realm="tankard"']
        assert "Authentication failed" in git.fails(*with_helper("wrong"), "ls-remote", tankard.url(private.path)).err
        assert not faults.records
        assert tankard.advertisement(private.path, bearer(token)).status == 200

    def test_the_refusal_says_nothing_of_the_repository(self, service, private, project, tmp_path):
        _, line = new_token()
        for criteria, status in (({}, 403), ({"tokens_file": place(tmp_path / "tokens", line + "\n")}, 401)):
            tankard = service(**criteria)
            sentences = {refused_without_a_hint(tankard.advertisement(path), status)
                         for path in (private.path, project.path, "private/no-such.git", "no/such/thing")}
            assert len(sentences) == 1, sentences
            tankard.stop()

    def test_nor_what_rules_say_of_it(self, service, private, tmp_path):
        token, line = new_token()
        tankard = service(tokens_file=place(tmp_path / "tokens", line + "\n"), repositories="private/**")
        for headers in ([], bearer("wrong")):
            assert len({refused_without_a_hint(tankard.advertisement(path, headers), 401)
                        for path in (private.path, "private/no-such.git", "other/no-such.git")}) == 1
        assert tankard.advertisement(private.path, bearer(token)).status == 200

    def test_what_is_in_memory_is_for_the_admitted_too(self, service, faults, git, private, tmp_path):
        token, line = new_token()
        tankard = service(tokens_file=place(tmp_path / "tokens", line + "\n"))
        git.check(*with_helper(token), "clone", "--mirror", tankard.url(private.path), tmp_path / "c")
        tankard.wait_stored()
        for away in (False, True):
            if away:
                tankard.switch(False)
            refused_without_a_hint(tankard.advertisement(private.path), 401)
            refused_without_a_hint(tankard.ls_refs(private.path, "refs/heads/"), 401)
            refused_without_a_hint(tankard.command(private.path, pkt.fetch([private.oid("main")])), 401)
            assert pkt.listing(tankard.ls_refs(private.path, "refs/heads/", headers=bearer(token)).body) == private.refs("refs/heads")

    def test_every_criterion_of_a_rule_must_hold_and_rules_are_alternatives(self, service, private, tmp_path):
        token, line = new_token()
        tokens = place(tmp_path / "tokens", line + "\n")
        tankard = service(rules=[{"networks": "10.0.0.0/8", "tokens_file": tokens}])
        refused_without_a_hint(tankard.advertisement(private.path, bearer(token)), 401)
        tankard.stop()
        tankard = service(rules=[{"networks": "10.0.0.0/8"}, {"networks": EVERYWHERE, "tokens_file": tokens}])
        refused_without_a_hint(tankard.advertisement(private.path), 401)
        assert tankard.advertisement(private.path, bearer(token)).status == 200

    def test_rules_and_credentials_are_for_their_repositories(self, service, faults, private, project, secret_file):
        tankard = service(networks=EVERYWHERE, repositories="private/**")
        assert tankard.advertisement(private.path).status == 200
        refused_without_a_hint(tankard.advertisement(project.path))
        tankard.stop()
        tankard = service(credential={"user": USER, "secret_file": secret_file, "repositories": "private/**"}, networks=EVERYWHERE)
        assert tankard.advertisement(private.path).status == 200
        mark = faults.mark()
        refused_without_a_hint(tankard.advertisement(project.path))
        assert not faults.seen(since=mark), "no credential of tankard's is for it"

    def test_a_token_can_be_withdrawn_and_given_while_tankard_runs(self, service, private, tmp_path):
        token, line = new_token()
        tokens = place(tmp_path / "tokens", line + "\n")
        tankard = service(tokens_file=tokens)

        def status():
            return tankard.advertisement(private.path, bearer(token)).status
        assert status() == 200
        place(tokens, "# nobody\n")
        wait_until(lambda: status() == 401, "the token is withdrawn", 5, interval=0.2)
        place(tokens, line + "\n")
        wait_until(lambda: status() == 200, "the token is given again", 5, interval=0.2)
        place(tokens, line + "\nhalf a li")
        wait_until(lambda: status() == 401, "a damaged file admits nobody", 5, interval=0.2)
        heard(tankard, "tokens-file-unusable")
        os.unlink(tokens)
        wait_until(lambda: len(tankard.events("tokens-file-unusable")) > 1 or status() != 401, "the file is missed", 5, interval=0.2)
        assert status() == 401


class TestCertificates:
    @pytest.fixture
    def authority(self, tmp_path):
        return Authority(tmp_path / "ca")

    def start(self, run_tankard, faults, secret_file, authority, certificates):
        server, table = authority.issue("server"), f"upstream.{faults.name}"
        return run_tankard(settings={
            "tls.listen": "127.0.0.1:0", "tls.certificate": f"{server}/tls.crt", "tls.key": f"{server}/tls.key",
            "tls.client_ca": authority.file, "tls.client_certificates": "optional", f"{table}.auth.mode": "service",
            f"{table}.credential.bot.user": USER, f"{table}.credential.bot.secret_file": secret_file,
            f"{table}.client.ci.certificates": certificates})

    def ask(self, git, tankard, authority, repository, shown=None):
        url = f"https://localhost:{tankard.tls_port}{tankard.mount()}/{repository.path}"
        options = ["-c", f"http.sslCAInfo={authority.file}"]
        if shown:
            options += ["-c", f"http.sslCert={shown}/tls.crt", "-c", f"http.sslKey={shown}/tls.key"]
        return git.run(*options, "ls-remote", url)

    def test_the_names_of_a_rule_admit_those_who_bear_them(self, run_tankard, faults, git, private, secret_file, authority):
        runner, other = authority.issue("runner", "DNS:runner.corp,URI:spiffe://corp/ci"), authority.issue("other", "DNS:other.corp")
        tankard = self.start(run_tankard, faults, secret_file, authority, "uri:spiffe://corp/ci")
        assert self.ask(git, tankard, authority, private, runner).ok
        for shown in (None, other):
            assert "403" in self.ask(git, tankard, authority, private, shown).err
        refused_without_a_hint(tankard.advertisement(private.path))
        assert credentials_seen(faults) == {basic(USER, PASSWORD)}

    def test_a_name_of_one_kind_does_not_pose_as_another(self, run_tankard, faults, git, private, secret_file, authority):
        """The authority vouches for a common name beside others, and for a URI that looks like a host."""
        posers = [authority.issue("runner.corp", "DNS:other.corp"), authority.issue("other", "URI:runner.corp,email:runner@corp")]
        for wanted in ("dns:runner.corp", "cn:runner.corp", "subject:runner.corp"):
            tankard = self.start(run_tankard, faults, secret_file, authority, wanted)
            for shown in posers:
                assert "403" in self.ask(git, tankard, authority, private, shown).err, wanted
            tankard.stop()
        tankard = self.start(run_tankard, faults, secret_file, authority, "subject:CN=other")
        assert [self.ask(git, tankard, authority, private, shown).ok for shown in posers] == [False, True]

    def test_a_fingerprint_admits_that_certificate_only(self, run_tankard, faults, git, private, secret_file, authority):
        runner, namesake = authority.issue("runner"), authority.issue("runner", folder=authority.folder + "/namesake")
        with open(f"{runner}/tls.crt", encoding="ascii") as file:
            digest = hashlib.sha256(ssl.PEM_cert_to_DER_cert(file.read())).hexdigest()
        tankard = self.start(run_tankard, faults, secret_file, authority, f"sha256:{digest}")
        assert self.ask(git, tankard, authority, private, runner).ok
        assert "403" in self.ask(git, tankard, authority, private, namesake).err


class TestUpstreamsSide:
    def test_nothing_of_the_clients_own_reaches_the_upstream(self, service, faults, git, private, tmp_path):
        tankard = service(networks=EVERYWHERE)
        own = ["-c", f"http.extraHeader=Authorization: Bearer {CLIENTS_OWN}", "-c", f"http.extraHeader=Cookie: session={CLIENTS_OWN}",
               "-c", f"http.extraHeader=PRIVATE-TOKEN: {CLIENTS_OWN}"]
        git.check(*own, "clone", "--mirror", tankard.url(private.path), tmp_path / "c")
        git.fails(*own, "ls-remote", tankard.url("private/no-such.git"))
        tankard.ask("GET", tankard.target(private.path, "HEAD"), bearer(CLIENTS_OWN))
        tankard.advertisement(private.path, bearer(CLIENTS_OWN))
        assert faults.records
        for record in faults.records:
            assert record.header("Authorization") == basic(USER, PASSWORD), record
            assert CLIENTS_OWN not in repr(record.headers) and CLIENTS_OWN not in record.target, record

    def test_a_push_needs_a_credential_of_the_clients_own(self, service, faults, git, private, tmp_path):
        """Tankard's credential is for reading: with it, whoever is admitted would push in tankard's name."""
        tankard = service(networks=EVERYWHERE)
        git.check("clone", tankard.url(private.path), tmp_path / "w")
        before, mark = private.oid("main"), faults.mark()
        (tmp_path / "w" / "file").write_text("pushed\n")
        git.check("add", "file", cwd=tmp_path / "w")
        git.check("commit", "-m", "pushed", cwd=tmp_path / "w")
        git.fails("push", "origin", "main", cwd=tmp_path / "w")
        answer = tankard.ask("POST", tankard.target(private.path, "git-receive-pack"), body=b"0000")
        assert answer.status == 403 and b"tankard" in answer.body
        assert private.oid("main") == before and not faults.seen(since=mark)

    def test_lfs_is_refused_because_its_answers_may_hold_the_credential(self, service, faults, private):
        """A batch answer of GitLab or Gitea repeats the Authorization header for the client to use."""
        tankard = service(networks=EVERYWHERE)
        answer = tankard.ask("POST", tankard.target(private.path, "info/lfs/objects/batch"), [("Content-Type", "application/vnd.git-lfs+json")],
                             body=b'{"operation":"download","objects":[]}')
        assert answer.status == 403 and b"tankard" in answer.body
        assert not faults.records

    def test_an_outage_is_answered_for_the_admitted(self, service, faults, git, private, tmp_path):
        tankard = service(networks=EVERYWHERE)
        git.check("clone", "--mirror", tankard.url(private.path), tmp_path / "c")
        tankard.wait_stored()
        tankard.switch(False)
        git.check("clone", "--mirror", tankard.url(private.path), tmp_path / "d")
        git.same_content(private.folder, tmp_path / "d")


SAID = b"hello corp-bot, 17 requests left\n"


def saying(number):
    """The host has a word for who asks, on this band, before the pack and in it."""
    def edit(status, headers, body):
        head, _, rest = body.partition(b"000dpackfile\n")
        said = pkt.line(bytes([number]) + SAID)
        return status, headers, head + b"000dpackfile\n" + said + rest.removesuffix(pkt.FLUSH) + said + pkt.FLUSH
    return Edit(edit)


def of_git(body, kind="result"):
    return Respond(200, {"Content-Type": f"application/x-git-upload-pack-{kind}"}, body)


def posts(body, *headers):
    return lambda tankard, repository: tankard.ask(
        "POST", tankard.target(repository.path, "git-upload-pack"), [("Content-Type", "application/x-git-upload-pack-request"), *headers], body)


WORDS = {
    "at once": pkt.line(b"ERR " + SAID),
    "later": pkt.line("1" * 40 + " refs/heads/main\n") + pkt.line(b"ERR " + SAID),
    "on a band": pkt.lines("NAK") + pkt.line(b"\x02" + SAID) + pkt.line(b"\x03" + SAID) + pkt.FLUSH,
}
V2 = ("Git-Protocol", "version=2")
PASSED_THROUGH = {
    "an odd listing": posts(pkt.lines("command=ls-refs", "object-format=sha1", pkt.DELIM, "something-odd", pkt.FLUSH), V2),
    "an unknown command": posts(pkt.lines("command=something-odd", "object-format=sha1", pkt.DELIM, "of-it", pkt.FLUSH), V2),
    "a malformed fetch": posts(pkt.lines("want something-odd", pkt.FLUSH, "done")),
}


class TestWhatTheHostSays:
    """In service mode upstream's words are for tankard; clients are told of the work, not of tankard's account."""

    @pytest.mark.parametrize("shape", ["shared", "alone"])
    def test_its_words_beside_the_pack_reach_no_client(self, service, faults, private, shape):
        tankard = service(networks=EVERYWHERE)
        body = pkt.fetch([private.oid("refs/heads/main")], (), True, *(["deepen 1", "deepen-relative"] if shape == "alone" else []))
        assert tankard.ls_refs(private.path, "refs/heads/").status == 200
        faults.on(saying(2), kind="fetch")
        answer = tankard.command(private.path, body)
        assert answer.status == 200 and answer.whole and b"PACK" in answer.body, answer
        assert SAID not in answer.body and b"Enumerating" not in answer.body
        assert faults.count("fetch") == 1

    @pytest.mark.parametrize("shape", ["shared", "alone"])
    def test_its_last_words_are_tankards(self, service, faults, private, shape):
        tankard = service(networks=EVERYWHERE)
        body = pkt.fetch([private.oid("refs/heads/main")], (), True, *(["deepen 1", "deepen-relative"] if shape == "alone" else []))
        assert tankard.ls_refs(private.path, "refs/heads/").status == 200
        faults.on(saying(3), kind="fetch")
        answer = tankard.command(private.path, body)
        assert SAID not in answer.body and b"\x03tankard: " in answer.body, answer

    @pytest.mark.parametrize("asks, before", [("v2", pkt.lines("acknowledgments", "NAK")), ("v0", pkt.lines("NAK"))], ids=["v2", "v0"])
    def test_nor_is_a_no_behind_its_first_lines_in_its_words(self, service, faults, private, asks, before):
        tankard = service(networks=EVERYWHERE)
        tip = private.oid("refs/heads/main")
        assert tankard.ls_refs(private.path, "refs/heads/").status == 200
        faults.on(Respond(200, {"Content-Type": "application/x-git-upload-pack-result"}, before + pkt.line(b"ERR " + SAID)), times=None, kind="fetch")
        if asks == "v2":
            answer = tankard.command(private.path, pkt.fetch([tip], ["1" * 40], True))
        else:
            answer = tankard.ask("POST", tankard.target(private.path, "git-upload-pack"),
                                 [("Content-Type", "application/x-git-upload-pack-request")], pkt.old_fetch([tip]))
        assert faults.count("fetch") and SAID not in answer.body and b"ERR tankard: " in answer.body, answer

    @pytest.mark.parametrize("kind", ["advertisement", "ls-refs"])
    def test_its_no_inside_a_200_is_tankards_also_to_who_joins(self, service, faults, private, kind):
        tankard = service(networks=EVERYWHERE)
        no, answered = pkt.line(b"ERR " + SAID), Gate()
        if kind == "advertisement":
            ask, said = tankard.advertisement, of_git(pkt.lines("# service=git-upload-pack", pkt.FLUSH) + no, "advertisement")
        else:
            ask, said = tankard.ls_refs, of_git(no)
        faults.on(Hang(answered, then=said), times=None, kind=kind)
        with ThreadPoolExecutor(3) as clients:
            asking = [clients.submit(ask, private.path)]
            answered.wait_arrived()
            asking += [clients.submit(ask, private.path) for _ in range(2)]   # too late for that answer: one asks anew, one joins
            tankard.wait_metric("tankard_collapsed_requests_total", lambda n: n >= 1)
            answered.open()
            for answer in (one.result() for one in asking):
                assert SAID not in answer.body and b"tankard: " in answer.body, answer
        assert faults.count(kind) == 3

    @pytest.mark.parametrize("said", WORDS)
    @pytest.mark.parametrize("asks", PASSED_THROUGH)
    def test_its_words_in_what_is_passed_through_reach_no_client(self, service, faults, private, asks, said):
        tankard = service(networks=EVERYWHERE)
        faults.on(of_git(WORDS[said]), times=None)
        answer = PASSED_THROUGH[asks](tankard, private)
        assert faults.seen() and SAID not in answer.body, answer
        assert b"tankard: " in answer.body

    @pytest.mark.parametrize("asks", PASSED_THROUGH)
    def test_all_else_of_what_is_passed_through_arrives_as_it_is(self, service, faults, private, asks):
        body = pkt.line("1" * 40 + " refs/heads/main\n") + pkt.line(b"\x01ERR of a pack") + pkt.FLUSH + b"PACK" + SAID
        faults.on(of_git(body), times=None)
        assert PASSED_THROUGH[asks](service(networks=EVERYWHERE), private).body == body

    def test_what_is_passed_through_ends_where_it_is_git_no_more(self, service, faults, private):
        tankard = service(networks=EVERYWHERE)
        faults.on(of_git(pkt.lines("NAK") + b"<html>" + SAID), times=None)
        answer = PASSED_THROUGH["a malformed fetch"](tankard, private)
        assert SAID not in answer.body and not answer.whole, answer
        assert tankard.wait_request(reason="not-git")

    @pytest.mark.parametrize("said", WORDS)
    @pytest.mark.parametrize("asks", PASSED_THROUGH)
    def test_who_asks_in_his_own_name_hears_them(self, run_tankard, faults, project, asks, said):
        tankard = run_tankard()
        faults.on(of_git(WORDS[said]), times=None)
        assert PASSED_THROUGH[asks](tankard, project).body == WORDS[said]

    def test_who_asks_in_his_own_name_hears_it(self, run_tankard, faults, project):
        tankard = run_tankard()
        assert tankard.ls_refs(project.path, "refs/heads/").status == 200
        faults.on(saying(2), kind="fetch")
        assert SAID in tankard.fetch(project.path, project.oid("refs/heads/main")).body

    def test_the_progress_of_tankards_own_work_is_told(self, service, faults, git, private, tmp_path):
        tankard = service(networks=EVERYWHERE)
        git.check("clone", "--mirror", tankard.url(private.path), tmp_path / "first")
        tankard.wait_stored()
        mark = faults.mark()
        answer = tankard.fetch(private.path, private.oid("refs/heads/main"))
        assert faults.count("fetch", since=mark) == 0 and b"Enumerating objects" in answer.body, answer


class TestCredentialThatIsRefused:
    @pytest.fixture
    def locked(self, service, git, private, password_of_host, tmp_path):
        """A tankard with one clone in its cache, whose credential the host refuses from now on."""
        tankard = service(networks=EVERYWHERE)
        git.check("clone", "--mirror", tankard.url(private.path), tmp_path / "before")
        tankard.wait_stored()
        assert tankard.metric("tankard_upstream_state", upstream=tankard.name, state="locked") == 0
        password_of_host(NEW_PASSWORD)
        return tankard

    def test_what_is_cached_is_served_and_the_state_tells(self, locked, git, private, tmp_path):
        for n in range(3):
            git.check("clone", "--mirror", locked.url(private.path), tmp_path / f"c{n}")
            git.same_content(private.folder, tmp_path / f"c{n}")
        assert locked.metric("tankard_upstream_state", upstream=locked.name, state="locked") == 1
        assert "locked" in locked.admin("GET", "/healthz").text
        heard(locked, "upstream-state", state="locked")

    def test_the_401_of_the_upstream_is_never_relayed(self, locked, faults, private, new_repository):
        unknown = new_repository("private/not-cached-yet.git").history(2)
        answers = []
        for path in (private.path, unknown.path, "private/no-such.git"):
            answers += [locked.advertisement(path), locked.ls_refs(path, "refs/heads/"), locked.command(path, pkt.fetch([private.oid("main")])),
                        locked.ask("GET", locked.target(path, "info/refs?service=git-upload-pack")),
                        locked.ask("GET", locked.target(path, "HEAD"))]
        assert 401 in {r.status for r in faults.records}, "the host did refuse"
        for answer in answers:
            assert answer.status not in (401, 403), answer
            assert answer.header("WWW-Authenticate") is None
            assert b"Private repositories" not in answer.body and b"nginx" not in answer.body, answer

    def test_what_is_not_cached_gets_a_sentence(self, locked, git, new_repository):
        unknown = new_repository("private/never-cloned.git").history(2)
        said = git.fails("ls-remote", locked.url(unknown.path)).err
        assert "tankard" in said and "credential" in said, said
        assert "Authentication failed" not in said, "git must not ask its user, nor forget what it knows"

    def test_a_new_secret_in_the_file_is_taken_without_a_restart(self, locked, faults, git, private, secret_file, new_repository, tmp_path):
        git.check("clone", "--mirror", locked.url(private.path), tmp_path / "meanwhile")
        new = private.add_commit()
        place(secret_file, NEW_PASSWORD + "\n")
        wait_until(lambda: new in git.run("ls-remote", locked.url(private.path)).out, "the new secret is used", 20, interval=0.2)
        locked.wait_metric("tankard_upstream_state", lambda n: n == 0, upstream=locked.name, state="locked")
        other = new_repository("private/after-the-change.git").history(3)
        git.check("clone", "--mirror", locked.url(other.path), tmp_path / "other")
        assert faults.records[-1].header("Authorization") == basic(USER, NEW_PASSWORD)
        heard(locked, "secret-file-read")

    def test_a_file_that_becomes_readable_for_all_is_not_used(self, service, faults, git, private, secret_file, tmp_path):
        tankard = service(networks=EVERYWHERE)
        git.check("clone", "--mirror", tankard.url(private.path), tmp_path / "c")
        tankard.wait_stored()
        os.chmod(secret_file, 0o644)
        wait_until(lambda: not tankard.advertisement("private/no-such.git").status == 404 and tankard.events("secret-file-unusable"),
                   "the file is refused", 10, interval=0.2)
        mark = faults.mark()
        git.check("clone", "--mirror", tankard.url(private.path), tmp_path / "d")
        assert not faults.seen(since=mark), "upstream is not asked without a credential"


class TestCommand:
    @pytest.fixture
    def mint(self, tmp_path):
        """A command that prints what is in the file `minted`, and writes down its runs and its environment."""
        place(tmp_path / "minted", PASSWORD)
        return place(tmp_path / "mint", f"#!/bin/sh\nenv >> {tmp_path}/environment\necho \"$$ $*\" >> {tmp_path}/runs\ncat {tmp_path}/minted\n", 0o700)

    def runs(self, tmp_path):
        return len((tmp_path / "runs").read_text().splitlines()) if (tmp_path / "runs").exists() else 0

    def test_it_is_run_once_for_all(self, service, faults, git, private, mint, tmp_path):
        tankard = service(credential={"user": USER, "command": f"{mint},--app,7"}, networks=EVERYWHERE)
        for n in range(3):
            git.check("clone", "--mirror", tankard.url(private.path), tmp_path / f"c{n}")
        assert self.runs(tmp_path) == 1
        assert (tmp_path / "runs").read_text().split(" ", 1)[1] == "--app 7\n"
        assert credentials_seen(faults) == {basic(USER, PASSWORD)}
        assert tankard.metric("tankard_credential_command_runs_total", result="ok") == 1
        told = (tmp_path / "environment").read_text()
        assert f"TANKARD_UPSTREAM={faults.name}\n" in told and PASSWORD not in told

    def test_it_is_run_again_after_a_refusal(self, service, faults, git, private, mint, password_of_host, new_repository, tmp_path):
        tankard = service(credential={"user": USER, "command": mint}, networks=EVERYWHERE)
        git.check("clone", "--mirror", tankard.url(private.path), tmp_path / "c")
        tankard.wait_stored()
        password_of_host(NEW_PASSWORD)
        place(tmp_path / "minted", NEW_PASSWORD)
        other = new_repository("private/after-the-refusal.git").history(3)
        wait_until(lambda: git.run("ls-remote", tankard.url(other.path)).ok, "the new secret is made and used", 20, interval=0.2)
        assert self.runs(tmp_path) == 2
        tankard.wait_metric("tankard_upstream_state", lambda n: n == 0, upstream=tankard.name, state="locked")

    def test_a_hang_up_makes_it_anew(self, service, private, mint, tmp_path):
        tankard = service(credential={"user": USER, "command": mint}, networks=EVERYWHERE)
        assert tankard.advertisement(private.path).status == 200 and self.runs(tmp_path) == 1
        tankard.process.send_signal(signal.SIGHUP)
        wait_until(lambda: tankard.advertisement(private.path).status == 200 and self.runs(tmp_path) == 2, "it is made anew", 10)

    def test_a_secret_that_is_always_refused_is_no_fork_storm(self, service, private, mint, tmp_path):
        place(tmp_path / "minted", "never-right")
        tankard = service(credential={"user": USER, "command": mint}, networks=EVERYWHERE)
        for _ in range(30):
            assert tankard.advertisement(private.path).status not in (401, 403)
        assert self.runs(tmp_path) <= 4

    def test_its_failure_is_told_without_what_it_printed(self, service, git, private, mint, tmp_path):
        place(tmp_path / "app.key", "very-secret-key-of-the-app\n")
        place(mint, f"#!/bin/sh\nset -x\necho {PASSWORD}\nkey=$(cat {tmp_path}/app.key)\nfalse -H \"Bearer $key\" || exit 3\n", 0o700)
        tankard = service(credential={"user": USER, "command": mint}, networks=EVERYWHERE)
        said = git.fails("ls-remote", tankard.url(private.path)).err
        assert "its command failed (exit 3)" in said, said
        event = heard(tankard, "credential-command-failed")[0]
        assert event["stderr_bytes"] > 0 and "failed (exit 3)" in event["cause"]
        for secret in (PASSWORD, "very-secret-key"):
            assert secret not in said and secret not in tankard.output()

    def test_one_that_hangs_delays_nobody_twice(self, service, private, mint, tmp_path):
        place(mint, f"#!/bin/sh\necho run >> {tmp_path}/runs\nif [ -e {tmp_path}/hang ]; then sleep 100; fi\necho {PASSWORD}\n", 0o700)
        tankard = service(credential={"user": USER, "command": mint, "command_timeout": "3s", "lifetime": "1s"}, networks=EVERYWHERE)
        assert tankard.ls_refs(private.path, "refs/heads/").status == 200
        (tmp_path / "hang").touch()
        failed = wait_until(lambda: tankard.ls_refs(private.path, "refs/heads/") and tankard.events("credential-command-failed"), "it hangs", 30)
        assert "did not end within 3s" in failed[0]["cause"]
        slow = 0
        while self.runs(tmp_path) < 4:
            begun = time.monotonic()
            tankard.ls_refs(private.path, "refs/heads/")
            slow += time.monotonic() - begun > 2.5
            time.sleep(0.05)
        assert not slow, "memory answers while the command is tried again"

    def test_a_hang_up_during_a_run_is_not_lost(self, service, faults, private, mint, tmp_path):
        place(mint, f"#!/bin/sh\ns=$(cat {tmp_path}/minted)\necho run >> {tmp_path}/runs\nuntil [ -e {tmp_path}/go ]; do sleep 0.05; done\necho $s\n", 0o700)
        tankard = service(credential={"user": USER, "command": mint}, networks=EVERYWHERE)
        with http.Connection(tankard.port) as client:
            client.request("GET", tankard.target(private.path, "info/refs?service=git-upload-pack"))
            wait_until(lambda: self.runs(tmp_path) == 1, "the command runs")
            tankard.process.send_signal(signal.SIGHUP)
            wait_until(lambda: tankard.events("reloading"), "the signal is heeded")
            (tmp_path / "go").touch()
            assert client.answer().status == 200
        wait_until(lambda: tankard.advertisement(private.path).status == 200 and self.runs(tmp_path) == 2,
                   "it runs again: it may have read what was there before", 10, interval=0.2)

    def test_per_repository_it_is_told_which(self, service, git, new_repository, mint, tmp_path):
        tankard = service(credential={"user": USER, "command": mint, "per_repository": "true"}, networks=EVERYWHERE)
        paths = [new_repository(f"private/{n}-of-two.git").history(2).path for n in (1, 2)]
        for path in paths * 2:
            git.check("ls-remote", tankard.url(path))
        told = (tmp_path / "environment").read_text()
        for path in paths:
            assert told.count(f"TANKARD_REPOSITORY={path}\n") == 1, told


def test_no_secret_is_anywhere(service, faults, git, private, password_of_host, tmp_path):
    token, line = new_token()
    tankard = service(tokens_file=place(tmp_path / "tokens", line + "\n"))
    git.check(*with_helper(token), "clone", "--mirror", tankard.url(private.path), tmp_path / "c")
    git.fails(*with_helper("wr0ng-t0ken-of-client"), "ls-remote", tankard.url(private.path))
    tankard.wait_stored()
    tankard.wait_written()
    password_of_host(NEW_PASSWORD)
    said = git.fails(*with_helper(token), "ls-remote", tankard.url("private/unknown.git")).err
    secrets = [PASSWORD, basic(USER, PASSWORD)[6:], token, basic("ci", token)[6:], hashlib.sha256(token.encode()).hexdigest(),
               "wr0ng-t0ken-of-client"]
    places = {"git's message": said, "metrics": tankard.admin("GET", "/metrics").text, "health": tankard.admin("GET", "/healthz").text,
              "page": tankard.admin("GET", "/").text, "api": tankard.admin("GET", "/api/v1/upstreams", token=tankard.token()).text}
    for pid in [tankard.process.pid, *(m[0] for m in tankard.children())]:
        for name in ("cmdline", "environ"):
            with open(f"/proc/{pid}/{name}", "rb") as file:
                places[f"{name} of {pid}"] = file.read().decode(errors="replace")
    tankard.stop()
    places["log"] = tankard.output()
    places["disk"] = content_of(tankard.cache_dir).decode(errors="replace")
    for name, text in places.items():
        for secret in secrets:
            assert secret not in text, f"{secret} in {name}"


class TestStart:
    def refuses(self, tankard, *parts):
        tankard.start(wait=False)
        code, output = tankard.ends_by_itself()
        tankard.process = None
        assert code > 0 and code != 99, output
        for part in parts:
            assert part in output, output
        assert PASSWORD not in output
        return output

    def test_a_secret_that_everybody_may_read(self, service, secret_file):
        os.chmod(secret_file, 0o644)
        self.refuses(service(networks=EVERYWHERE, start=False), secret_file, "chmod o-rwx")

    def test_a_secret_that_is_not_there(self, service, tmp_path):
        self.refuses(service(credential={"user": USER, "secret_file": str(tmp_path / "none")}, start=False), str(tmp_path / "none"))

    def test_tokens_that_are_none(self, service, tmp_path):
        tokens = place(tmp_path / "tokens", "# fine\nthe-token-itself\n")
        output = self.refuses(service(tokens_file=tokens, start=False), tokens, "in line 2", "tankard token")
        assert "the-token-itself" not in output

    def test_a_rule_that_would_admit_everybody(self, service):
        self.refuses(service(repositories="private/**", start=False), "client.rule-0", "would admit everybody")

    def test_service_mode_without_a_credential(self, run_tankard, faults):
        tankard = run_tankard(settings={f"upstream.{faults.name}.auth.mode": "service"}, start=False)
        self.refuses(tankard, "no credential to show the upstream")

    def test_rules_in_another_mode(self, run_tankard, faults):
        tankard = run_tankard(settings={f"upstream.{faults.name}.client.lan.networks": EVERYWHERE}, start=False)
        self.refuses(tankard, "auth.mode", "passthrough")

    def test_certificates_that_nobody_is_asked_for(self, service):
        self.refuses(service(certificates="dns:ci.corp", start=False), "certificates", "tls.client_ca")

    def test_a_certificate_name_without_its_kind(self, service):
        self.refuses(service(certificates="ci.corp", start=False), "`ci.corp`, which does not say", "`dns:`")

    def test_a_command_that_is_not_there(self, service):
        self.refuses(service(credential={"user": USER, "command": "/no/such/program"}, networks=EVERYWHERE, start=False),
                     "/no/such/program", "No such file")

    def test_two_sources_of_one_secret(self, service, secret_file):
        self.refuses(service(credential={"user": USER, "secret_file": secret_file, "command": "/bin/true"}, start=False),
                     "both a `secret_file` and a `command`")

    def test_a_wrong_key_of_a_credential_names_the_nearest(self, service, secret_file):
        self.refuses(service(credential={"user": USER, "secrets_file": secret_file}, start=False), "credential.bot.secrets_file",
                     "credential.bot.secret_file")


class TestTokenCommand:
    def test_prints_the_token_and_its_line(self):
        made = subprocess.run([binary(), "token", "ci"], capture_output=True, text=True, check=True, env=environment())
        token, line = made.stdout.splitlines()
        assert len(token) == 64
        assert line == f"ci:sha256:{hashlib.sha256(token.encode()).hexdigest()}"
        assert "tokens_file" in made.stderr and token not in made.stderr

    def test_two_are_not_the_same(self):
        assert new_token()[0] != new_token()[0]

    def test_a_name_is_needed(self):
        for arguments in ([], ["a b"], ["a:b"]):
            made = subprocess.run([binary(), "token", *arguments], capture_output=True, text=True, check=False, env=environment())
            assert made.returncode == 2 and not made.stdout and "needs a name" in made.stderr

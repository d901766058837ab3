"""What the tests of access ask of a tankard, and what they expect: one word for each way to be shown or not shown a repository."""
from . import pkt
from .access_upstream import CHALLENGE
from .traces import PREFIXES, told


def ask_all(tankard, repository, headers=()):
    """Every question that shows something of a repository."""
    return [tankard.advertisement(repository.path, headers), tankard.ls_refs(repository.path, *PREFIXES, headers=headers),
            tankard.fetch(repository.path, *repository.tips(), headers=headers)]


def visit(tankard, repository, person=None):
    """Looks at it and clones it, as git would: git shows its credential when it is asked for one."""
    headers = person.header if person else ()
    tankard.advertisement(repository.path)
    for answer in ask_all(tankard, repository, headers):
        assert answer.status == 200 and answer.whole, answer
    assert told(answer, [repository]), answer
    tankard.wait_quiet()


def is_shown(tankard, repository, headers):
    """Listing and pack, as they are now."""
    advertisement, listing, pack = ask_all(tankard, repository, headers)
    assert advertisement.status == 200 and "version 2" in pkt.texts(advertisement.body), advertisement
    assert pkt.listing(listing.body) == repository.listing, listing
    assert pack.status == 200 and told(pack, [repository]), pack


def is_refused(tankard, repository, headers, statuses, lives=()):
    """Whatever is asked gets one of these, and nothing of the repository."""
    for answer in ask_all(tankard, repository, headers):
        assert answer.status in statuses, answer
        assert told(answer, [repository, *lives], but=repository.tips()) == set() and b"PACK" not in answer.body, answer


def must_come_later(tankard, repository, headers, lives=()):
    """What a credential without a live allow is told in an outage: nothing, and to keep what it has."""
    is_refused(tankard, repository, headers, [503], lives)
    for answer in ask_all(tankard, repository, headers):
        assert answer.header("WWW-Authenticate") is None and int(answer.header("Retry-After")) > 0, answer


def must_log_in(tankard, repository, challenge=(CHALLENGE,)):
    is_refused(tankard, repository, (), [401])
    for answer in ask_all(tankard, repository):
        assert answer.all("WWW-Authenticate") == list(challenge), answer


def restart_in_an_outage(tankard, faults):
    faults.vanish()
    tankard.restart() if tankard.alive else tankard.start()

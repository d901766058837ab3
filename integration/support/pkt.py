"""pkt-lines, as little of them as the tests need to speak git themselves."""

FLUSH, DELIM, RESPONSE_END = b"0000", b"0001", b"0002"


def line(payload):
    if isinstance(payload, str):
        payload = payload.encode()
    return b"%04x" % (len(payload) + 4) + payload


def lines(*payloads):
    """pkt-lines of text, each with its LF; FLUSH and DELIM as they are."""
    return b"".join(p if p in (FLUSH, DELIM, RESPONSE_END) else line((p.encode() if isinstance(p, str) else p) + b"\n")
                    for p in payloads)


def read(data):
    """[payload | 'flush' | 'delim' | 'end'] up to the first thing that is not a pkt-line."""
    found, at = [], 0
    while at + 4 <= len(data):
        try:
            length = int(data[at:at + 4], 16)
        except ValueError:
            break
        if length < 3:
            found.append(("flush", "delim", "end")[length])
            at += 4
        elif length >= 4 and at + length <= len(data):
            found.append(data[at + 4:at + length])
            at += length
        else:
            break
    return found


def texts(data):
    return [p.rstrip(b"\n").decode(errors="replace") if isinstance(p, bytes) else p for p in read(data)]


def ls_refs(*prefixes, peel=True, symrefs=True, unborn=True, object_format="sha1"):
    args = [a for a, on in (("peel", peel), ("symrefs", symrefs), ("unborn", unborn)) if on]
    return lines("command=ls-refs", "agent=git/integration", f"object-format={object_format}", DELIM, *args,
                 *(f"ref-prefix {p}" for p in prefixes), FLUSH)


def fetch(wants, haves=(), done=True, *args):
    object_format = "sha256" if any(len(w) == 64 for w in wants) else "sha1"
    return lines("command=fetch", "agent=git/integration", f"object-format={object_format}", DELIM, "ofs-delta", *args,
                 *(f"want {w}" for w in wants), *(f"have {h}" for h in haves), *(["done"] if done else []), FLUSH)


def listing(data):
    """{ref: oid} of an answer to ls-refs."""
    refs = {}
    for text in texts(data):
        if text not in ("flush", "delim", "end") and " " in text:
            oid, name = text.split(" ")[:2]
            if len(oid) in (40, 64) and not oid.strip("0123456789abcdef"):
                refs[name] = oid
    return refs


def old_fetch(wants, haves=(), done=True, capabilities="multi_ack_detailed no-done side-band-64k ofs-delta agent=git/integration", needs=()):
    """A POST of protocol v0 or v1."""
    first = [f"want {w}{' ' + capabilities if n == 0 and capabilities else ''}" for n, w in enumerate(wants)]
    return lines(*first, *needs, FLUSH, *(f"have {h}" for h in haves), "done" if done else FLUSH)


def old_capabilities(data):
    """The words behind the first ref of a listing in v0 or v1."""
    first = next(p for p in read(data) if isinstance(p, bytes) and b"\0" in p)
    return first.rstrip(b"\n").split(b"\0")[1].decode().split()

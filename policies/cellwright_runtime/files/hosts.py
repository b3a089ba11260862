"""Names and addresses of computers, as files and options give them."""

from __future__ import annotations


def host_fault(host: str) -> str:
    """What is wrong with `host`, in words that follow its name; empty for what may be looked up."""
    try:
        named = host.encode("idna")
    except UnicodeError:
        named = b""
    if not named or not host.isprintable() or " " in host:
        return f"must be a name or an address, such as 192.168.0.10, got {host[:40]!r}"
    return ""

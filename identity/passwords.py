"""Passwords: kept as Argon2id, judged before they are taken."""

from __future__ import annotations

import secrets

from argon2 import PasswordHasher
from argon2.exceptions import Argon2Error, InvalidHashError

from soc.errors import Conflict

SHORTEST = 12
LONGEST = 256
_DIFFERENT = 5
# RFC 9106's second recommendation (64 MiB, 3 passes) with one lane: the pages share two cores with the workers
_HASHER = PasswordHasher(time_cost=3, memory_cost=65_536, parallelism=1)
_NOBODY = _HASHER.hash("nobody's")


def hashed(password: str) -> str:
    return _HASHER.hash(password)


def is_right(hash_: str | None, password: str) -> bool:
    """Whether the password belongs to the hash. Without one the same time passes, so that names cannot be told apart."""
    if len(password) > LONGEST:
        password = ""
    try:
        return _HASHER.verify(hash_ or _NOBODY, password) and hash_ is not None
    except (Argon2Error, InvalidHashError):
        return False


def refuse_weak(password: str, name: str, old: str) -> None:
    """Raises Conflict, whose text is a key of the catalogue, for a password that is easily guessed or is the old one."""
    if not SHORTEST <= len(password) <= LONGEST:
        raise Conflict("password_length")
    if password == old:
        raise Conflict("password_same")
    if name and name.lower() in password.lower():
        raise Conflict("password_has_name")
    if len(set(password)) < _DIFFERENT:
        raise Conflict("password_simple")


def one_time() -> str:
    """A password to be used once: 120 bits, in groups that can be typed from paper."""
    alphabet = "abcdefghjkmnpqrstuvwxyz23456789"  # without 0 o 1 l i
    return "-".join("".join(secrets.choice(alphabet) for _ in range(6)) for _ in range(4))

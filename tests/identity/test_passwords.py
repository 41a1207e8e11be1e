"""Argon2id, and passwords to be used once."""

from identity import passwords


def test_a_hash_fits_its_password_alone() -> None:
    kept = passwords.hashed("correct horse battery")
    assert kept.startswith("$argon2id$")
    assert passwords.is_right(kept, "correct horse battery")
    for near in ("correct horse batter", "Correct horse battery", "", "correct horse battery "):
        assert not passwords.is_right(kept, near)


def test_nobody_has_no_password_and_an_endless_one_costs_nothing() -> None:
    assert not passwords.is_right(None, "nobody's")
    assert not passwords.is_right("no hash at all", "x")
    assert not passwords.is_right(passwords.hashed("a" * 300), "a" * 300)


def test_one_time_passwords_differ_and_can_be_typed() -> None:
    made = {passwords.one_time() for _ in range(50)}
    assert len(made) == 50
    assert all(len(one) == 27 and not set(one) & set("0o1li") for one in made)

"""Digest and Basic, against the examples of the RFCs and both sides against each other."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vms.common.errors import ParseError
from vms.format.digest import (
    MD5,
    MD5_SESS,
    SHA256,
    SHA256_SESS,
    Challenge,
    authorization,
    new_challenge,
    parse_authorization,
    parse_challenges,
    strongest,
    verify,
)

RFC7616 = Challenge(
    "digest",
    "http-auth@example.org",
    "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v",
    qop=("auth", "auth-int"),
    opaque="FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS",
)
NONCE = "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ"


@pytest.mark.parametrize(
    ("algorithm", "wanted"),
    [
        (MD5, "8ca523f5e9506fed4657c9700eebdbec"),
        (SHA256, "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"),
    ],
)
def test_examples_of_rfc_7616(algorithm: str, wanted: str) -> None:
    challenge = Challenge(
        "digest", RFC7616.realm, RFC7616.nonce, algorithm, RFC7616.qop, RFC7616.opaque
    )
    value = authorization(challenge, "Mufasa", "Circle of Life", "GET", "/dir/index.html", 1, NONCE)
    assert parse_authorization(value).response == wanted


def test_example_of_rfc_2617() -> None:
    challenge = Challenge(
        "digest", "testrealm@host.com", "dcd98b7102dd2f0e8b11d0f600bfb0c093", qop=("auth",)
    )
    value = authorization(
        challenge, "Mufasa", "Circle Of Life", "GET", "/dir/index.html", 1, "0a4f113b"
    )
    assert 'response="6629fae49393a05397450978507c4ef1"' in value


texts = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=20)
algorithms = st.sampled_from((MD5, MD5_SESS, SHA256, SHA256_SESS))
URL = "rtsp://camera:554/main"


@given(texts, texts, texts, algorithms, st.sampled_from(((), ("auth",))), st.none() | texts)
def test_both_sides_agree(
    realm: str, username: str, password: str, algorithm: str, qop: tuple[str, ...], opaque: str
) -> None:
    sent = Challenge("digest", realm, "a1b2", algorithm, qop, opaque)
    (read,) = parse_challenges([sent.header()])
    assert read == sent
    answer = parse_authorization(authorization(read, username, password, "PLAY", URL, 3))
    assert answer.username == username
    assert answer.uri == URL
    assert verify(answer, sent, username, password, "PLAY")
    assert not verify(answer, sent, username, password + "x", "PLAY")
    assert not verify(answer, sent, username + "x", password, "PLAY")
    assert not verify(answer, sent, username, password, "SETUP")
    assert not verify(answer, new_challenge(realm, algorithm, qop), username, password, "PLAY")


@given(texts, texts.map(lambda text: text.replace(":", "")), texts)
def test_basic(realm: str, username: str, password: str) -> None:
    sent = Challenge("basic", realm)
    (read,) = parse_challenges([sent.header()])
    assert read == sent
    answer = parse_authorization(authorization(read, username, password, "PLAY", URL))
    assert verify(answer, sent, username, password, "PLAY")
    assert not verify(answer, sent, username, password + "x", "PLAY")
    assert not verify(answer, new_challenge(realm), username, password, "PLAY")


def test_passwords_are_not_printed() -> None:
    value = authorization(Challenge("basic", "r"), "joe", "secret", "PLAY", URL)
    assert "secret" not in repr(parse_authorization(value))


def test_headers_of_the_field() -> None:
    """Two challenges in one header, one each, no quotes, lower case, unknown schemes."""
    both = 'Basic realm="a, b", Digest realm="IP Camera(C1)", nonce="0a", stale="FALSE"'
    assert parse_challenges([both]) == [
        Challenge("basic", "a, b"),
        Challenge("digest", "IP Camera(C1)", "0a"),
    ]
    assert parse_challenges(['Digest realm=x,nonce=y , algorithm="md5",qop="auth,auth-int"']) == [
        Challenge("digest", "x", "y", MD5, ("auth", "auth-int"))
    ]
    assert parse_challenges(["Negotiate abc==, Bearer", 'DIGEST nonce="\\"q"']) == [
        Challenge("digest", "", '"q')
    ]
    assert parse_challenges(["", "  "]) == []


def test_the_strongest_challenge_is_chosen() -> None:
    basic, md5 = Challenge("basic", "r"), Challenge("digest", "r", "n")
    sha = Challenge("digest", "r", "n", SHA256, ("auth",))
    odd = Challenge("digest", "r", "n", "SHA-512-256")
    integrity = Challenge("digest", "r", "n", MD5, ("auth-int",))
    assert strongest([basic, odd, md5, sha]) is sha
    assert strongest([basic, md5]) is md5
    assert strongest([basic, odd, integrity]) is basic
    assert strongest([odd, integrity]) is None
    assert strongest([]) is None
    with pytest.raises(ParseError):
        authorization(odd, "a", "b", "PLAY", URL)


@pytest.mark.parametrize(
    "value",
    [
        "",
        "Digest",
        "Bearer x",
        "Basic !!!",
        "Basic YWJj",
        "Basic " + "A" * 9000,
        'Digest username="a", response=',
        'Digest username="a", response="b" ???',
    ],
)
def test_malformed_authorizations(value: str) -> None:
    if value.endswith("response="):
        assert not verify(parse_authorization(value), RFC7616, "a", "", "GET")
        return
    with pytest.raises(ParseError):
        parse_authorization(value)


headers = st.text(max_size=80) | st.lists(
    st.sampled_from(
        ("Digest ", "Basic ", "realm=", '"x"', "nonce=", '"', "\\", ",", " ", "=", "qop=", "auth")
    )
).map("".join)


@given(headers)
def test_arbitrary_headers(value: str) -> None:
    with contextlib.suppress(ParseError):
        parse_challenges([value])
    try:
        answer = parse_authorization(value)
    except ParseError:
        return
    assert not verify(answer, RFC7616, "Mufasa", "Circle of Life", "GET")


def test_long_headers_cost_nothing() -> None:
    for text in ('Digest a="' + "\\" * 8000, "Digest " + "a" * 8000, "Digest " + "a=," * 2500):
        with contextlib.suppress(ParseError):
            parse_challenges([text])
        with contextlib.suppress(ParseError):
            parse_authorization(text)

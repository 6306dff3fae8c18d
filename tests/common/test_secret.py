from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from vms.common.secret import Secret, join_credentials, redact, split_credentials


def test_never_prints() -> None:
    secret = Secret("hunter2")
    assert "hunter2" not in f"{secret} {secret!r} {[secret]}"
    assert secret.reveal() == "hunter2"


@given(user=st.text(min_size=1, max_size=20), password=st.text(max_size=20))
def test_credentials_come_back(user: str, password: str) -> None:
    try:
        user.encode(), password.encode()
    except UnicodeEncodeError:
        return
    url = "rtsp://10.0.0.5:554/stream?x=1"
    joined = join_credentials(url, user, Secret(password))
    assert split_credentials(joined) == (url, user, Secret(password))
    assert redact(f"cannot open {joined} now") == f"cannot open {url.replace('//', '//***@')} now"

"""`vms verify` judges a case of evidence, offline; `vms evidence` tells of the key."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from vms.app.cli_common import (
    ConfigOption,
    DataDirOption,
    common_settings,
    errors,
    opened_catalog,
    run_async,
)

if TYPE_CHECKING:
    from vms.app.settings import Settings
    from vms.storage.export.check import Finding, Verdict

app = typer.Typer(help="The key that cases of evidence are signed with.", no_args_is_help=True)

_MOST_SHOWN = 200


def verify(
    case: Annotated[
        Path, typer.Argument(help="The case: its ZIP, or the folder it was unpacked to.")
    ],
    key: Annotated[
        str,
        typer.Option(
            help="Fingerprint of the key that must have signed it, as its owner published it.",
            show_default=False,
        ),
    ] = "",
    as_json: Annotated[bool, typer.Option("--json", help="Print the verdict as JSON.")] = False,
) -> None:
    """Judge whether a case of evidence is as it was exported. Needs no network and no data.

    Status 0: all is as it was signed. Status 1: it is not, and each file and span that was
    altered, is missing or was added is named.
    """
    from vms.storage.export import check, signing

    expected = signing.parse_fingerprint(key) if key else ""
    if not case.exists():
        typer.echo(f"vms: there is no {_clean(str(case))}", err=True)
        raise typer.Exit(1)
    try:
        with _progress() as progress:
            verdict = check.verify(case, expected, progress)
    except OSError as error:
        reason = error.strerror or str(error)
        typer.echo(f"vms: {_clean(str(case))} cannot be read: {reason}", err=True)
        raise typer.Exit(1) from None
    if as_json:
        typer.echo(json.dumps(_fields(verdict), ensure_ascii=True, indent=1))
    else:
        for line in _lines(verdict, bool(expected)):
            typer.echo(line)
    if not verdict.ok:
        raise typer.Exit(1)


@contextmanager
def _progress() -> Iterator[Callable[[int, int], None] | None]:
    """How far it is, where a person looks."""
    if not errors.is_terminal:
        yield None
        return
    with errors.status("reading the case ...") as status:
        told = -1

        def tell(done: int, everything: int) -> None:
            nonlocal told
            percent = done * 100 // max(1, everything)
            if percent != told:
                told = percent
                status.update(f"reading the case ... {min(percent, 100)} %")

        yield tell


def _fields(verdict: Verdict) -> dict[str, Any]:
    return {
        "ok": verdict.ok,
        "fingerprint": verdict.fingerprint,
        "findings": [
            {
                "what": one.what.value,
                "path": one.path,
                "start_ms": one.start_ms,
                "end_ms": one.end_ms,
                "text": one.text,
            }
            for one in verdict.findings
        ],
        "unproven": verdict.unproven,
    }


def _lines(verdict: Verdict, key_given: bool) -> Iterator[str]:
    yield from _about(verdict)
    if verdict.ok:
        manifest = verdict.manifest
        count = len(manifest.media) if manifest else 0
        yield f"OK: all {count} files of footage are as they were exported."
        if verdict.unproven:
            yield (
                f"  {len(verdict.unproven)} of them were cut or encoded anew for the export: "
                "signed as exported, but not tied to the recording by its hashes:"
            )
            yield from (f"    {_clean(path)}" for path in verdict.unproven[:_MOST_SHOWN])
        if not key_given:
            yield (
                "  Compare the fingerprint with the one its owner published, or give it with "
                "--key: anyone can sign with a key of their own."
            )
        return
    count = len(verdict.findings)
    yield f"NOT AS EXPORTED: {count} {'finding' if count == 1 else 'findings'}"
    for finding in verdict.findings[:_MOST_SHOWN]:
        yield f"  {_said(finding)}"
    if len(verdict.findings) > _MOST_SHOWN:
        yield f"  ... and {len(verdict.findings) - _MOST_SHOWN} more (see --json)"


def _about(verdict: Verdict) -> Iterator[str]:
    """What the case says of itself; of one whose signature is broken nobody vouches for it."""
    if verdict.fingerprint:
        key = verdict.fingerprint
        yield "signed by  " + " ".join(key[n : n + 8] for n in range(0, 64, 8))
    if verdict.manifest is None or not verdict.fingerprint:
        return
    fields = verdict.manifest.fields
    asked, by = fields.get("asked"), fields.get("by")
    if isinstance(by, dict):
        yield f"exported   by {_clean(by.get('name'))} at {_moment(fields.get('made_ms'))}"
    if fields.get("reason"):
        yield f"because    {_clean(fields.get('reason'))}"
    if isinstance(asked, dict):
        cameras = asked.get("cameras")
        named = ", ".join(map(_clean, cameras[:20])) if isinstance(cameras, list) else ""
        yield f"footage    {named} {_moment(asked.get('start'))} to {_moment(asked.get('end'))}"
    yield from _missing(fields.get("cameras"))
    problems = fields.get("problems")
    if isinstance(problems, list):
        yield from (f"noted      {_clean(text)}" for text in problems[:_MOST_SHOWN])


def _missing(cameras: object) -> Iterator[str]:
    shown = 0
    for camera in cameras if isinstance(cameras, list) else ():
        spans = camera.get("missing") if isinstance(camera, dict) else None
        for span in spans if isinstance(spans, list) else ():
            if isinstance(span, dict) and shown < _MOST_SHOWN:
                shown += 1
                yield (
                    f"no footage {_clean(camera.get('id'))} {_moment(span.get('start_ms'))} to "
                    f"{_moment(span.get('end_ms'))}"
                )


def _said(finding: Finding) -> str:
    said = finding.what.value.upper()
    if finding.path:
        said += f" {_clean(finding.path)}"
    if finding.start_ms is not None:
        said += f" from {_moment(finding.start_ms)} to {_moment(finding.end_ms)}"
    return f"{said}: {_clean(finding.text)}"


def _moment(value: object) -> str:
    if not isinstance(value, int):
        return "?"
    try:
        moment = datetime.fromtimestamp(value // 1000, UTC)
    except (OverflowError, ValueError, OSError):
        return "?"
    return f"{moment:%Y-%m-%d %H:%M:%S}.{value % 1000:03d} UTC"


def _clean(value: object) -> str:
    """As text that does nothing to a terminal: it comes from whoever made the case."""
    text = str(value)[:300]
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)


@app.command("key")
def show_key(config: ConfigOption = None, data_dir: DataDirOption = None) -> None:
    """Print the fingerprint of this system's key, to be published, and the public key."""

    async def work(settings: Settings) -> tuple[str, bytes]:
        from vms.storage.export.signing import signing_key

        async with opened_catalog(settings) as catalog:
            key = await signing_key(catalog.settings)
            return key.fingerprint, key.public

    from base64 import b64encode

    fingerprint, public = run_async(work(common_settings(config, data_dir)))
    typer.echo(f"fingerprint  {fingerprint}")
    typer.echo(f"public key   {b64encode(public).decode()}  (Ed25519)")


__all__ = ["app", "verify"]

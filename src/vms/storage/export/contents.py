"""What stands in a case beside the footage: its manifest, and a text for who gets it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from vms.common.model.evidence import AuditEntry, ExportJob, Gap
from vms.storage.export.maker import CameraOrder, Made, Order
from vms.storage.export.manifest import SIGNATURE, Listed

CONTENTS = "contents.json"
README, PAGE = "README.txt", "verify.html"
_MS = 1_000_000


@dataclass(frozen=True, slots=True)
class Sealing:
    """What is known as a case is closed. `clock_problem` is a sentence, empty where the
    server's clock is trusted; `ntp` whether the kernel says it follows a time server, None
    where it does not say; `audit` the newest entry of the audit trail; `gaps` by camera."""

    now_ns: int
    version: str
    fingerprint: str
    gaps: Mapping[str, Sequence[Gap]]
    audit: AuditEntry | None = None
    clock_problem: str = ""
    ntp: bool | None = None


def manifest_fields(
    job: ExportJob, order: Order, made: Made, sealing: Sealing, others: Sequence[Listed]
) -> dict[str, Any]:
    """All of the manifest but its format and schema. `others` are the case's small files."""
    spec = order.spec
    asked = {k: v for k, v in spec.fields().items() if k != "reason"}
    audit = sealing.audit
    return {
        "id": job.id,
        "made_ms": sealing.now_ns // _MS,
        "software": {"name": "vms", "version": sealing.version},
        "by": {"id": job.owner_id, "name": job.owner_name},
        "requested_ms": job.created_ns // _MS,
        "reason": spec.reason,
        "asked": asked,
        "key": sealing.fingerprint,
        "clock": {"problem": sealing.clock_problem, "follows_time_server": sealing.ntp},
        "audit": None
        if audit is None
        else {"seq": audit.seq, "at_ms": audit.at_ns // _MS, "digest": audit.digest},
        "cameras": [_camera(one, order, made, sealing) for one in order.cameras],
        "problems": made.problems,
        "media": made.media,
        "others": [
            *(one for done in made.done for one in done.others),
            *(one.fields() for one in others),
        ],
    }


def _camera(camera: CameraOrder, order: Order, made: Made, sealing: Sealing) -> dict[str, Any]:
    burn = order.spec.burn
    gaps = sealing.gaps.get(camera.id, ())
    return {
        "id": camera.id,
        "name": camera.name,
        "masks_painted": len(camera.masks),
        "burned_in": {
            "time": burn.zone if burn.time else None,
            "name": burn.name,
            "watermark": burn.watermark,
        },
        "missing": [missing(span, gaps) for span in made.missing(camera.id)],
    }


def missing(span: tuple[int, int], gaps: Sequence[Gap]) -> dict[str, Any]:
    """A span that no file shows, with what is known of why."""
    start_ns, end_ns = span
    causes = [
        {"cause": gap.cause.value, "detail": gap.detail}
        for gap in gaps
        if gap.start_ns < end_ns and (gap.end_ns is None or gap.end_ns > start_ns)
    ]
    return {"start_ms": start_ns // _MS, "end_ms": -(-end_ns // _MS), "causes": causes[:10]}


def contents(order: Order, made: Made, sealing: Sealing) -> bytes:
    """The list in a ZIP of several files that is no case."""
    fields = {
        "media": made.media,
        "missing": {
            one.id: [missing(span, sealing.gaps.get(one.id, ())) for span in made.missing(one.id)]
            for one in order.cameras
        },
        "problems": made.problems,
    }
    return json.dumps(fields, indent=1, ensure_ascii=False).encode() + b"\n"


def readme(fingerprint: str, *, page: bool) -> bytes:
    """`page`: whether the case holds the page that verifies it."""
    with_page = (
        (
            f"- Open {PAGE} in a browser and drop this ZIP on it. Nothing leaves your computer,\n"
            "  and no network is needed. Rather take that page from the system itself: one who\n"
            "  changes a case can change the page in it too.\n",
            f"- Abra {PAGE} em um navegador e solte este ZIP na página. Nada sai do seu\n"
            "  computador e não é preciso rede. De preferência use a página do próprio sistema:\n"
            "  quem altera um caso também pode alterar a página dentro dele.\n",
        )
        if page
        else ("", "")
    )
    return _README.format(
        key=" ".join(fingerprint[n : n + 8] for n in range(0, 64, 8)),
        signature=SIGNATURE, page_en=with_page[0], page_pt=with_page[1],
    ).encode()  # fmt: skip


_README = """\
VIDEO EVIDENCE / PROVA EM VÍDEO
===============================

English
-------
This is video exported from a video management system. There is a folder for each camera;
the files play in common players (VLC plays all of them). manifest.json says what was asked
for, by whom and why, which spans each file shows, what is missing, and the SHA-256 of every
file. {signature} is the signature (Ed25519) of manifest.json.

To verify that nothing was changed since it was exported:
{page_en}- Or, where the program is installed:  vms verify CASE.zip --key FINGERPRINT

The fingerprint of the key that signed it is said to be:
  {key}
Do not trust this line: ask whoever gave you the case for the fingerprint, on another way
than the case came (by telephone, or from their web site), and compare.

All times are UTC.

Português
---------
Este é um vídeo exportado de um sistema de gerenciamento de vídeo. Há uma pasta para cada
câmera; os arquivos abrem em reprodutores comuns (o VLC abre todos). O manifest.json diz o
que foi pedido, por quem e por quê, que período cada arquivo mostra, o que falta e o SHA-256
de cada arquivo. {signature} é a assinatura (Ed25519) do manifest.json.

Para verificar que nada foi alterado desde a exportação:
{page_pt}- Ou, onde o programa está instalado:  vms verify CASO.zip --key IMPRESSÃO

A impressão digital da chave que o assinou seria:
  {key}
Não confie nesta linha: peça a impressão digital a quem lhe entregou o caso, por outro meio
(por telefone, ou no site), e compare.

Todos os horários são UTC.
"""

"""Each planted defect is found by its rule, and by no other than those that break with it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import pytest

from app import socket_protocol
from app.contract.chldo.rules import RULES
from app.contract.chldo.words import V1
from tests.contract.defects import DEFECTS, Defect
from tests.contract.planting import Planting
from tests.contract.stage import broken, checked, staged, told, url_of
from tests.live import LiveServer

PLANTED = [defect for defect in DEFECTS if not defect.settings]
SILENT = {"ignore", "no-end", "stall"}
"""Defects that are that nothing comes: these are waited for, and not for long."""


def patience(defect: Defect) -> float:
    """Seconds of silence before the checks give up."""
    silent = defect.rule == "concurrency.one-socket" or any(fault["fault"] in SILENT for fault in defect.faults)
    return 2.0 if silent else 20.0


@pytest.fixture(scope="module", autouse=True)
def _hasty() -> Iterator[None]:
    """A socket that is refused for its size need not be read on for two seconds here."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket_protocol, "LINGER", 0.05)
        yield


@pytest.fixture(scope="module")
def planting() -> Planting:
    return Planting()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, planting: Planting) -> Iterator[LiveServer]:
    with staged(tmp_path_factory.mktemp("defects"), wrap=planting.wrap) as live:
        yield live


@contextmanager
def planted(defect: Defect, server: LiveServer, planting: Planting) -> Iterator[None]:
    """The defect in the server: by its own faults where it has such, and around it where not."""
    if not defect.is_faulty:
        planting.faults = defect.faults
        yield
        planting.faults = ()
        return
    with httpx.Client(base_url=f"{server.http}/_emulator") as control:
        control.post("/faults", json={"faults": defect.faults}).raise_for_status()
        yield
        control.post("/reset").raise_for_status()


@pytest.mark.parametrize("defect", PLANTED, ids=lambda defect: defect.name)
async def test_a_planted_defect_is_found_by_its_rule(defect: Defect, server: LiveServer, planting: Planting) -> None:
    with planted(defect, server, planting):
        report = await checked(url_of(server, defect.revision), patience=patience(defect))
    assert report.subjects[0].judged == defect.revision, report.subjects
    assert broken(report) == {defect.rule, *defect.beside}, told(report)


@pytest.mark.parametrize("defect", [one for one in DEFECTS if one.settings], ids=lambda defect: defect.rule)
async def test_a_server_with_other_limits_is_found_out(
    defect: Defect, tmp_path_factory: pytest.TempPathFactory
) -> None:
    with staged(tmp_path_factory.mktemp("limits"), **defect.settings) as live:
        report = await checked(url_of(live, defect.revision), patience=patience(defect))
    assert broken(report) == {defect.rule, *defect.beside}, told(report)


def test_every_rule_has_a_defect_that_breaks_it() -> None:
    assert {rule.id for rule in RULES} == {defect.rule for defect in DEFECTS}
    assert any(defect.revision == V1 for defect in DEFECTS)
    assert len({defect.rule for defect in DEFECTS if defect.is_faulty}) >= 89

"""The pages that the emulator serves: what it is, at `/`, and its endpoints, at `/_emulator/docs`; both offline."""

from __future__ import annotations

import gzip
import re
from collections.abc import Iterator
from html import unescape
from pathlib import Path

import httpx
import pytest

from app.demo import DEMO_KEY, console_snippet
from app.main import create_app
from app.settings import load_settings, serves_demo
from tests.browser import PROGRAM, browser, served
from tests.live import PATIENCE, LiveServer, write_fixtures
from tests.test_readme import ENGLISH, KOREAN, PRINTED_PORT, blocks

ROOT = Path(__file__).parent.parent.parent
BROWSER = {"accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}


def get(url: str, **headers: str) -> httpx.Response:
    return httpx.get(url, headers=headers, timeout=PATIENCE)


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    with LiveServer(tmp_path_factory.mktemp("pages"), voice={"engine": "tone", "workers": 1}) as server:
        yield server


def test_the_root_tells_programs_what_this_is(demo: LiveServer) -> None:
    for headers in ({}, {"accept": "application/json"}):
        answer = get(demo.http, **headers)
        told = answer.json()
        assert (told["name"], told["revision"], told["ready"]) == ("chldo emulator", "2024-11-13", True)
        assert told["sockets"]["/v3/"] == "chldo"
        assert {"chldo", "malangee", "hashee"} == set(told["sockets"].values())
        for name in ("health", "docs", "openapi"):
            assert get(f"{demo.http}{told[name]}").status_code == 200
    head = httpx.head(demo.http, timeout=PATIENCE)
    assert (head.status_code, head.text, head.headers["vary"]) == (200, "", "Accept, Origin")


def test_the_root_tells_people_what_to_paste(demo: LiveServer) -> None:
    page = get(demo.http, **BROWSER)
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    terminal, console = (unescape(block) for block in re.findall(r"<pre>(.*?)</pre>", page.text, re.DOTALL))
    assert terminal.startswith(f"chldo-emulator chat {demo.ws}/v3/ --api-key ")
    assert console == console_snippet(f"{demo.ws}/v3/")
    for link in re.findall(r'href="([^"]+)"', page.text):
        assert link == "data:," or get(f"{demo.http}/{link}").status_code == 200


def test_the_console_snippet_is_the_one_of_both_readmes() -> None:
    for readme in (ENGLISH, KOREAN):
        (snippet,) = blocks(readme, "js")
        assert snippet.strip() == console_snippet(f"ws://127.0.0.1:{PRINTED_PORT}/v3/").strip()


async def test_only_a_server_with_the_demo_key_offers_it(tmp_path: Path) -> None:
    fixtures = write_fixtures(tmp_path / "own", replies=[])
    assert serves_demo(load_settings(fixtures=fixtures))
    spaces = fixtures / "spaces.yaml"
    spaces.write_text(spaces.read_text(encoding="utf-8").replace(DEMO_KEY, "another-key"), encoding="utf-8")
    assert not serves_demo(load_settings(fixtures=fixtures))
    assert not serves_demo(load_settings(fixtures=tmp_path / "none"))
    assert not serves_demo(load_settings(tape=tmp_path))
    app = create_app(load_settings(fixtures=fixtures))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://127.0.0.1") as client:
        page = (await client.get("/", headers=BROWSER)).text
    assert "<pre>" not in page
    assert "/v3/" in page


def test_a_host_of_any_kind_is_shown_as_text(demo: LiveServer) -> None:
    page = get(demo.http, **BROWSER, host="<script>alert(1)</script>").text
    assert "<script>" not in page
    assert "&lt;script&gt;" in page


def test_the_page_of_endpoints_loads_nothing_from_elsewhere(demo: LiveServer) -> None:
    page = get(f"{demo.http}/_emulator/docs").text
    loaded = re.findall(r'(?:src|href)="([^"]+)"', page)
    assert loaded == ["docs/swagger-ui.css", "data:,", "docs/swagger-ui-bundle.js"]
    assert "http" not in page.replace("http-equiv", "")
    assert '"validatorUrl": null' in page
    assert '"openapi.json"' in page.replace("'", '"')
    for name, kind in (("swagger-ui-bundle.js", "text/javascript"), ("swagger-ui.css", "text/css")):
        at = f"{demo.http}/_emulator/docs/{name}"
        packed, plain = (get(at, **{"accept-encoding": wanted}) for wanted in ("gzip, br", "identity"))
        assert packed.headers["content-encoding"] == "gzip"
        assert "content-encoding" not in plain.headers
        assert packed.content == plain.content
        assert plain.headers["content-type"].startswith(kind)
        assert "sourceMappingURL=" not in plain.text
    assert get(f"{demo.http}/_emulator/docs/../secret").status_code == 404
    assert get(f"{demo.http}/_emulator/docs/index.html").status_code == 404


def test_what_is_vendored_comes_with_its_licences() -> None:
    folder = ROOT / "app" / "control" / "pages" / "swagger_ui"
    assert {file.name for file in folder.iterdir()} == {
        *("LICENSE", "NOTICE", "swagger-ui-bundle.js.LICENSE.txt", "swagger-ui-bundle.js.gz", "swagger-ui.css.gz")
    }
    assert "Apache License" in (folder / "LICENSE").read_text(encoding="utf-8")
    assert "Swagger UI" in (ROOT / "NOTICE.md").read_text(encoding="utf-8")
    assert gzip.decompress((folder / "swagger-ui.css.gz").read_bytes())


needs_chromium = pytest.mark.skipif(PROGRAM is None, reason="no Chromium is installed")


@pytest.mark.slow
@needs_chromium
@pytest.mark.timeout(240)
async def test_the_page_of_endpoints_works_without_a_network(demo: LiveServer, tmp_path: Path) -> None:
    async with browser(tmp_path / "profile") as page:
        await page.do("Page.navigate", url=f"{demo.http}/_emulator/docs")
        await page.until("document.body?.innerText.includes('/v3/room/uid/')")
        loaded = await page.run("performance.getEntriesByType('resource').map(one => one.name)")
    assert len(loaded) == 3
    assert all(url.startswith(f"{demo.http}/_emulator/") for url in loaded)


@pytest.mark.slow
@needs_chromium
@pytest.mark.timeout(240)
async def test_the_readmes_snippet_works_in_the_console_of_the_page_that_it_names(
    demo: LiveServer, tmp_path: Path
) -> None:
    """And on the other pages of which docs/testing.md says that they may talk to this machine."""
    assert "<http://127.0.0.1:8765/>" in ENGLISH
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "index.html").write_text("<!doctype html><title>A page</title>")
    (snippet,) = blocks(ENGLISH, "js")
    collect = "window.said = []; console.log = (...words) => said.push(words.join(' '));\n"
    pasted = snippet.replace(PRINTED_PORT, str(demo.port)).replace("ws.close();", "ws.close(); window.ended = true;")
    with served(tmp_path / "site") as site:
        async with browser(tmp_path / "profile") as page:
            for url in (f"{demo.http}/", site, (tmp_path / "site" / "index.html").as_uri()):
                await page.do("Page.navigate", url=url)
                await page.until("document.readyState === 'complete' && location.href !== 'about:blank'")
                await page.do("Runtime.evaluate", expression=collect + pasted, replMode=True)
                await page.until("window.ended")
                *voices, answer = await page.run("said")
                assert len(answer) > 10, url
                assert voices
                assert all("/room_uid_voice/51VPKp3F0yPX/" in voice for voice in voices)

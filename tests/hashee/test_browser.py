"""A page of another port in a real browser: its cookie, its socket, its refresh."""

from __future__ import annotations

from pathlib import Path

import pytest

from app.hashee.fixtures import PASSWORD
from tests.browser import PROGRAM, browser, served
from tests.hashee.people import email, write_cast
from tests.live import LiveServer

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(PROGRAM is None, reason="no Chromium is installed"),
]

PAGE = """<!doctype html><title>A front end</title><script>
async function post(base, path, body) {
  const headers = body ? {"content-type": "application/json"} : {};
  const how = {method: "POST", credentials: "include", headers, body: JSON.stringify(body)};
  const answer = await fetch(base + path, how);
  return (await answer.json()).data.access_token;
}
async function heard(base, token) {
  const socket = new WebSocket(base.replace("http", "ws") + "/ws/human");
  socket.onopen = () => socket.send(JSON.stringify({type: "auth", token}));
  return new Promise((done, failed) => {
    socket.onmessage = ({data}) => { done(JSON.parse(data).type); socket.close(); };
    socket.onerror = () => failed(new Error("no socket"));
  });
}
async function run(base, email, account_password) {
  await post(base, "/auth/login", {email, account_password});
  return heard(base, await post(base, "/auth/refresh"));
}
</script>"""


@pytest.mark.timeout(240)
async def test_a_page_of_a_named_origin_logs_in_and_refreshes_by_its_cookie(tmp_path: Path) -> None:
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "index.html").write_text(PAGE, encoding="utf-8")
    fixtures = write_cast(tmp_path / "fixtures")
    with (
        served(tmp_path / "site") as site,
        LiveServer(tmp_path / "data", fixtures=fixtures, watch=False, cors=site) as server,
    ):
        async with browser(tmp_path / "profile") as page:
            await page.do("Page.enable")
            await page.do("Page.navigate", url=site)
            await page.until("document.readyState === 'complete' && typeof run === 'function'")
            at = server.http.replace("127.0.0.1", "localhost")
            assert await page.run(f"run({at!r}, {email(1)!r}, {PASSWORD!r})") == "auth.ok"

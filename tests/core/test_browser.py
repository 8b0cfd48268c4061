"""The report and the map in a real browser: what they draw, ask for, say in the console, and let a keyboard do."""

import re
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from skillsim.report import write_report
from skillsim.skill_map import draw_map
from tests.reports import HOSTILE, full_report, map_points

pytest.importorskip("altair", reason="the extra `map` is not installed")
playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on the PATH: apt-get install chromium")

LUMINANCE = """colour => {
    const canvas = document.createElement("canvas").getContext("2d");
    canvas.fillStyle = colour;
    canvas.fillRect(0, 0, 1, 1);
    const parts = [...canvas.getImageData(0, 0, 1, 1).data].slice(0, 3).map(v => v / 255);
    const [r, g, b] = parts.map(v => v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}"""


@pytest.fixture(scope="module")
def browser() -> Iterator["playwright.Browser"]:
    with playwright.sync_playwright() as of:
        started = of.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield started
        started.close()


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """With texts that would run if they could."""
    path = tmp_path_factory.mktemp("report") / "report.html"
    write_report(full_report(HOSTILE, HOSTILE), path)
    return path


class Opened:
    """A page, and what went on while it was open."""

    def __init__(self, browser: "playwright.Browser", path: Path, scheme: str = "light") -> None:
        self.page = browser.new_page(color_scheme=scheme)
        self.said: list[str] = []
        self.asked: list[str] = []
        self.page.on("console", lambda message: self.said.append(f"{message.type}: {message.text}"))
        self.page.on("pageerror", lambda error: self.said.append(f"error: {error}"))
        self.page.on("dialog", lambda dialog: (self.said.append(f"dialog: {dialog.message}"), dialog.dismiss()))
        self.page.on("request", lambda request: self.asked.append(request.url))
        started = time.monotonic()
        self.page.goto(path.as_uri())
        self.page.wait_for_function("[...document.querySelectorAll('.chart')].every(one => one.querySelector('svg'))")
        self.seconds = time.monotonic() - started

    def marks(self, chart: str) -> int:
        return self.page.locator(f"#{chart} svg .role-mark path").count()

    def contrast(self, selector: str, property: str) -> float:
        """Of an element's colour to the page's ground."""
        colour = self.page.locator(selector).first.evaluate(f"one => getComputedStyle(one).{property}")
        ground = self.page.evaluate("getComputedStyle(document.documentElement).backgroundColor")
        low, high = sorted(self.page.evaluate(LUMINANCE, one) for one in (colour, ground))
        return (high + 0.05) / (low + 0.05)


def test_the_report_draws_its_charts_and_asks_for_nothing(
    browser: "playwright.Browser", report: Path, record_property: pytest.FixtureRequest
) -> None:
    opened = Opened(browser, report)
    record_property("seconds until the charts are drawn", round(opened.seconds, 2))
    assert (opened.said, opened.asked) == ([], [report.as_uri()])
    drawn = {chart: opened.marks(chart) for chart in ("chart-status", "chart-coverage", "chart-growth", "chart-map")}
    assert drawn == {"chart-status": 5, "chart-coverage": 3, "chart-growth": 4, "chart-map": 60}
    assert opened.page.locator("#chart-impact-0 svg").count() == 1
    assert opened.page.locator("#skills ~ .scroll td").first.inner_text() == HOSTILE


def test_the_lists_are_filtered_by_the_keyboard_alone(browser: "playwright.Browser", report: Path) -> None:
    opened = Opened(browser, report)
    focused = "document.activeElement.id || document.activeElement.getAttribute('href')"
    reached = []
    while "find" not in reached:
        opened.page.keyboard.press("Tab")
        reached.append(opened.page.evaluate(focused))
        assert opened.page.evaluate("getComputedStyle(document.activeElement).outlineStyle") != "none"
    assert reached[0] == "#coverage"
    assert opened.page.get_by_label("Find in the lists").evaluate("one => one === document.activeElement")
    rows = opened.page.locator("table.list tbody tr")
    assert rows.locator("visible=true").count() == rows.count() == 8
    opened.page.keyboard.type("FORK lift")
    assert rows.locator("visible=true").all_inner_texts()[0].startswith("forklifts")
    assert opened.page.locator("#count").inner_text() == "1 of 8 rows"
    opened.page.keyboard.press("Enter")
    opened.page.keyboard.press("Escape")
    assert rows.locator("visible=true").count() == 8
    opened.page.keyboard.press("Tab")
    assert opened.page.evaluate("document.activeElement.getAttribute('aria-labelledby')") == "skills"
    assert opened.page.evaluate("[...document.querySelectorAll('input, select')].every(one => one.labels.length)")
    targets = opened.page.evaluate("[...document.querySelectorAll('nav a')].map(one => one.hash.slice(1))")
    assert all(opened.page.locator(f"h2#{target}").count() == 1 for target in targets)
    assert (opened.said, opened.asked) == ([], [report.as_uri()])


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_texts_and_axes_are_legible(browser: "playwright.Browser", report: Path, scheme: str) -> None:
    opened = Opened(browser, report, scheme)
    ground = opened.page.evaluate("getComputedStyle(document.documentElement).backgroundColor")
    assert (sum(map(int, re.findall(r"\d+", ground))) < 150) == (scheme == "dark")
    for selector, property in (("td", "color"), ("nav a", "color"), (".note", "color")):
        assert opened.contrast(selector, property) > 7
    for chart in ("chart-status", "chart-coverage", "chart-growth", "chart-map", "chart-impact-0"):
        assert opened.contrast(f"#{chart} svg text", "fill") > 7
    for selector in ("#chart-status .role-mark path", "#chart-coverage .mark-symbol path"):
        assert opened.contrast(selector, "fill") > 2
    assert opened.contrast(".bar", "backgroundColor") > 3


def test_a_printed_report_has_its_lists_in_full_and_no_controls(browser: "playwright.Browser", report: Path) -> None:
    opened = Opened(browser, report)
    opened.page.emulate_media(media="print")
    assert not opened.page.get_by_label("Find in the lists").is_visible()
    assert opened.page.locator(".scroll").first.evaluate("one => getComputedStyle(one).overflow") == "visible"
    assert opened.page.locator("#chart-status svg").is_visible()


def test_a_skill_is_found_on_the_map(browser: "playwright.Browser", tmp_path: Path) -> None:
    path = tmp_path / "map.html"
    draw_map(map_points(500, HOSTILE), path)
    opened = Opened(browser, path)
    assert opened.marks("map") == 500
    shown = "[...document.querySelectorAll('#map .mark-symbol path')].filter(one => one.getAttribute('opacity') > 0.5)"
    assert opened.page.evaluate(f"{shown}.length") >= 500
    opened.page.get_by_label("Find a skill").fill("skill 499")
    opened.page.wait_for_function(f"{shown}.length < 100")
    opened.page.get_by_label("Find a skill").fill("")
    opened.page.get_by_label("Group").select_option("g3")
    opened.page.wait_for_function(f"{shown}.length < 100")
    assert (opened.said, opened.asked) == ([], [path.as_uri()])

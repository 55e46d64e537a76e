"""The report as a person sees it: in headless Chromium, on a phone and a desk, by day and night."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from selenium.webdriver import Chrome, ChromeOptions, ChromeService

pytestmark = pytest.mark.browser

WIDTHS = (390, 1280)
SCHEMES = ("light", "dark")
FLAGS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chrome]:
    chromium, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if chromium is None or driver is None:
        pytest.skip("chromium and chromedriver are not installed (apt install chromium-driver)")
    options = ChromeOptions()
    options.binary_location = chromium
    profile = tmp_path_factory.mktemp("profile")
    for flag in (*FLAGS, f"--user-data-dir={profile}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    opened = Chrome(options=options, service=ChromeService(driver))
    yield opened
    opened.quit()


@pytest.fixture(scope="module", params=[(w, s) for w in WIDTHS for s in SCHEMES], ids=str)
def page(request: pytest.FixtureRequest, browser: Chrome, demo_folder: Path) -> Chrome:
    width, scheme = request.param
    metrics = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 600}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    feature = {"name": "prefers-color-scheme", "value": scheme}
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [feature]})
    for log in ("browser", "performance"):
        browser.get_log(log)  # forget what came before
    browser.get((demo_folder / "report.html").as_uri())
    return browser


def test_the_console_stays_empty(page: Chrome) -> None:
    assert page.get_log("browser") == []


def test_nothing_is_requested_from_outside(page: Chrome) -> None:
    page.refresh()

    entries = [json.loads(entry["message"])["message"] for entry in page.get_log("performance")]
    requested = {
        entry["params"]["request"]["url"]
        for entry in entries
        if entry["method"] == "Network.requestWillBeSent"
    }

    assert requested
    assert all(url.startswith(("file:", "data:")) for url in requested), requested


def test_nothing_scrolls_sideways(page: Chrome) -> None:
    widths = page.execute_script(
        "return [document.documentElement.scrollWidth, document.documentElement.clientWidth]"
    )

    assert widths[0] <= widths[1]


def test_every_plot_has_words(page: Chrome) -> None:
    told = page.execute_script(
        "return [...document.querySelectorAll('figure')].map(figure => {"
        " const image = figure.querySelector('[role=img]');"
        " return [figure.querySelectorAll('svg').length, image && image.ariaLabel] })"
    )

    assert len(told) == 4
    assert all(n_plots == 1 and words and len(words) > 20 for n_plots, words in told)


def test_text_stands_out_from_its_ground(page: Chrome) -> None:
    contrast = page.execute_script(
        """
        const light = css => {
          const parts = css.match(/[0-9.]+/g).slice(0, 3).map(Number).map(v => {
            v /= 255; return v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4 });
          return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2] };
        const ground = light(getComputedStyle(document.body).backgroundColor);
        const ratio = node => {
          const [a, b] = [light(getComputedStyle(node).color), ground].sort((x, y) => y - x);
          return (a + 0.05) / (b + 0.05) };
        const nodes = [...document.querySelectorAll('p, td, li, h1, h2, figcaption')];
        return Math.min(...nodes.map(ratio));
        """
    )

    assert contrast >= 4.5  # WCAG 2.2, 1.4.3

"""Headless Chromium for the tests of pages, which are skipped where it is not installed."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

CHROMIUM = (
    shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
)
DRIVER = shutil.which("chromedriver")

FLAGS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--hide-scrollbars",
    "--use-fake-device-for-media-stream",
    "--use-fake-ui-for-media-stream",
)

WIDTHS = (1280, 390)
"""A laptop's screen and a phone's, in CSS pixels."""


@pytest.fixture(scope="session")
def chromium() -> Iterator:
    """A browser that reaches this machine only and has a camera, one for each test process."""
    webdriver = pytest.importorskip("selenium.webdriver", reason="selenium is not installed")
    if not (CHROMIUM and DRIVER):
        pytest.skip(
            "chromium and chromedriver are not installed (apt-get install chromium chromium-driver)"
        )
    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    for flag in FLAGS:
        options.add_argument(flag)
    options.add_argument("--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    browser = webdriver.Chrome(
        options=options, service=webdriver.ChromeService(executable_path=DRIVER)
    )
    browser.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", {"source": _ALARM})
    emulate(browser)
    yield browser
    browser.quit()


_ALARM = """
window.alarms = [];
for (const name of ['alert', 'confirm', 'prompt']) {
    window[name] = text => window.alarms.push(name + ' ' + text);
}
"""


def alarms(browser) -> list[str]:
    """Return the dialogs that a page tried to open, its scripts and what it tried to load."""
    return browser.execute_script("""
        const handlers = [...document.querySelectorAll('*')].filter(
            one => [...one.attributes].some(each => each.name.startsWith('on')));
        const loaded = performance.getEntriesByType('resource').map(each => each.name);
        return [...window.alarms, ...[...document.scripts, ...handlers].map(one => one.outerHTML),
                ...loaded.filter(name => !name.startsWith('data:'))];
    """)


def show(browser, page: Path, *, width: int = 1280, height: int = 900, anchor: str = "") -> None:
    """Open a page of the disk on a screen of that width; a phone's emulation makes it exact."""
    resize(browser, width=width, height=height)
    browser.get(f"{page.resolve().as_uri()}{anchor}")


def resize(browser, *, width: int, height: int = 900) -> None:
    """Set the size of the screen, in CSS pixels."""
    metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)


def emulate(browser, *, scheme: str = "light", media: str = "") -> None:
    """Show pages as on dark or light paper, and as on a screen or in print."""
    features = [{"name": "prefers-color-scheme", "value": scheme}]
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": media, "features": features})


def unfold(browser) -> None:
    """Open all that is folded on this page."""
    browser.execute_script("document.querySelectorAll('details').forEach(one => one.open = true)")


def requested(browser) -> list[str]:
    """Return the addresses requested since the last call, blocked ones included."""
    events = [json.loads(entry["message"])["message"] for entry in browser.get_log("performance")]
    sent = [event for event in events if event["method"] == "Network.requestWillBeSent"]
    return [event["params"]["request"]["url"] for event in sent]


def overflowing(browser) -> list[str]:
    """Return the elements that reach beyond the screen; those inside .scroll boxes may."""
    return browser.execute_script("""
        const wide = document.documentElement.clientWidth;
        const found = document.documentElement.scrollWidth > wide ? ['the page as a whole'] : [];
        for (const one of document.querySelectorAll('body *')) {
            if (one.parentElement.closest('.scroll, svg')) continue;
            const box = one.getBoundingClientRect();
            const text = one.textContent.slice(0, 40);
            const name = one.tagName + '.' + one.getAttribute('class') + ' ' + text;
            if (box.width && (box.right > wide + 1 || box.left < -1)) found.push(name);
        }
        return found;
    """)


def broken_words(browser) -> list[str]:
    """Return words of table heads that are broken over two lines."""
    return browser.execute_script("""
        const found = [];
        for (const head of document.querySelectorAll('th')) {
            const walker = document.createTreeWalker(head, NodeFilter.SHOW_TEXT);
            for (let text = walker.nextNode(); text; text = walker.nextNode()) {
                for (const word of text.data.matchAll(/\\S+/g)) {
                    const range = document.createRange();
                    range.setStart(text, word.index);
                    range.setEnd(text, word.index + word[0].length);
                    if (range.getClientRects().length > 1) found.push(word[0]);
                }
            }
        }
        return found;
    """)


def outside_their_drawing(browser) -> list[str]:
    """Return words of charts that reach beyond their SVG element."""
    return browser.execute_script("""
        const found = [];
        for (const drawing of document.querySelectorAll('svg')) {
            const frame = drawing.getBoundingClientRect();
            for (const word of drawing.querySelectorAll('text')) {
                const box = word.getBoundingClientRect();
                const inside = box.left >= frame.left - 1 && box.right <= frame.right + 1
                    && box.top >= frame.top - 1 && box.bottom <= frame.bottom + 1;
                if (frame.width && !inside) found.push(word.textContent);
            }
        }
        return found;
    """)


def overlapping(browser) -> list[str]:
    """Return pairs of words of one chart that overlap."""
    return browser.execute_script("""
        const found = [];
        for (const drawing of document.querySelectorAll('svg')) {
            const words = [...drawing.querySelectorAll('text')].map(
                word => [word.textContent, word.getBoundingClientRect()]);
            words.forEach(([first, a], i) => words.slice(i + 1).forEach(([second, b]) => {
                const across = Math.min(a.right, b.right) - Math.max(a.left, b.left);
                const down = Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top);
                if (across > 1 && down > 3) found.push(first + ' | ' + second);
            }));
        }
        return found;
    """)


LEAST_CONTRAST = 4.5
"""Of text and what is behind it: WCAG 2.2, success criterion 1.4.3."""


def faint(browser, *, least: float = LEAST_CONTRAST) -> list[str]:
    """Return the visible texts that are hard to read on what is behind them, with the contrast."""
    return browser.execute_script(
        """
        const least = arguments[0];
        const rgba = text => {
            const numbers = text.match(/[\\d.]+/g).map(Number);
            return numbers.length < 4 ? [...numbers, 1] : numbers;
        };
        const over = ([r, g, b, a], under) =>
            [r, g, b].map((each, i) => each * a + under[i] * (1 - a)).concat(1);
        const behind = one => {
            const layers = [];
            for (let each = one; each; each = each.parentElement) {
                layers.push(rgba(getComputedStyle(each).backgroundColor));
            }
            return layers.reduceRight((under, layer) => over(layer, under), [255, 255, 255, 1]);
        };
        const luminance = colour => {
            const [r, g, b] = colour.slice(0, 3).map(each => {
                const share = each / 255;
                return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
            });
            return 0.2126 * r + 0.7152 * g + 0.0722 * b;
        };
        const found = new Set();
        const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
        for (let text = walker.nextNode(); text; text = walker.nextNode()) {
            const one = text.parentElement;
            if (!text.data.trim() || !one.checkVisibility()) continue;
            const style = getComputedStyle(one);
            const paper = behind(one);
            const ink = over(rgba(one.closest('svg') ? style.fill : style.color), paper);
            const [high, low] = [luminance(ink), luminance(paper)].sort((a, b) => b - a);
            const contrast = (high + 0.05) / (low + 0.05);
            const start = text.data.trim().slice(0, 40);
            if (contrast < least) found.add(`${start} ${contrast.toFixed(2)}`);
        }
        return [...found];
        """,
        least,
    )

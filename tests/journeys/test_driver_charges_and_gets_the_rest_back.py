"""A driver scans a code, signs once, charges, stops, and has the rest of the deposit back."""

import re
import shutil
from pathlib import Path

import pytest
from playwright.sync_api import expect, sync_playwright

from tests.integration.live_street import QUICK, STEADY, street

ALONE = (
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"),
    *("--disable-background-networking", "--disable-component-update"),
)
NAMES = ("chromium", "chromium-browser", "google-chrome")
PHONE = {"viewport": {"width": 390, "height": 844}, "locale": "fr-FR", "color_scheme": "dark"}
DESK = {"viewport": {"width": 1280, "height": 900}, "locale": "en-GB", "reduced_motion": "reduce"}


@pytest.fixture(scope="module")
def url(tmp_path_factory):
    with street(tmp_path_factory.mktemp("street")) as address:
        yield address


@pytest.fixture(scope="module")
def chromium():
    """Chromium as the machine has it, or else playwright's own; no package registry has one."""
    with sync_playwright() as playwright:
        found = next(filter(None, map(shutil.which, NAMES)), None)
        if found is None and not Path(playwright.chromium.executable_path).exists():
            pytest.skip("this machine has no Chromium")
        browser = playwright.chromium.launch(executable_path=found, args=list(ALONE))
        yield browser
        browser.close()


class Visit:
    """A browser at the street, and whatever went wrong in it."""

    def __init__(self, chromium, url, how):
        self.context = chromium.new_context(base_url=url, **how)
        self.page = self.context.new_page()
        self.faults = []
        self.page.on("console", lambda said: self.faults.append(said.text))
        self.page.on("pageerror", lambda fault: self.faults.append(str(fault)))
        self.page.on("request", self._asks)
        self._url = url

    def _asks(self, request):
        if not request.url.startswith(self._url):
            self.faults.append(f"asks {request.url}")

    def figure(self, label):
        """Return what stands under a label, as its digits."""
        shown = self.page.locator("dl.dials div", has_text=label).locator("dd").inner_text()
        return int(re.sub(r"\D", "", shown) or 0)

    def fits(self):
        """Say whether nothing is wider than the screen."""
        return self.page.evaluate(
            "document.documentElement.scrollWidth <= document.documentElement.clientWidth"
        )


@pytest.fixture(params=[PHONE, DESK], ids=["phone, French, dark", "desk, English, no motion"])
def visit(chromium, url, request):
    one = Visit(chromium, url, request.param)
    yield one
    one.context.close()
    assert one.faults == []


WORDS = {
    "fr-FR": {
        "make": "Créer un portefeuille dans ce navigateur",
        "go": "Signer et recharger",
        "stop": "Arrêter la recharge",
        "energy": "Énergie",
        "spent": "Dépensé",
        "back": "Vous revient",
        "over": "Le reste de votre dépôt est revenu dans votre portefeuille.",
        "again": "Recharger de nouveau",
        "holds": r"99,9\d\sEUR",
        "euros": "en euros",
    },
    "en-GB": {
        "make": "Make a wallet in this browser",
        "go": "Sign and charge",
        "stop": "Stop charging",
        "energy": "Energy",
        "spent": "Spent",
        "back": "Comes back to you",
        "over": "The rest of your deposit is back in your wallet.",
        "again": "Charge again",
        "holds": r"99\.9\d\sEUR",
        "euros": "in euros",
    },
}


def test_driver_charges_and_gets_the_rest_back(visit):
    page = visit.page
    page.goto("/s")
    words = WORDS[page.evaluate("navigator.language")]
    page.get_by_role("link", name=QUICK).click()
    price = page.get_by_text("EUR/kWh")
    expect(price).to_be_visible()
    page.get_by_label(words["euros"]).check()
    page.locator("#amount").fill("1,5")
    expect(page.locator("#deposit_shown")).to_have_text(re.compile(r"^1[.,]50\sEUR$"))
    assert page.get_by_role("button", name=words["go"]).is_disabled()
    page.get_by_role("button", name=words["make"]).click()
    expect(page.locator("#holds")).to_have_text(re.compile(r"^100[.,]00\sEUR$"))
    assert visit.fits()
    page.get_by_role("button", name=words["go"]).click()
    page.wait_for_url("**/sessions/0x*")
    stop = page.get_by_role("button", name=words["stop"])
    expect(page.locator("#ride")).to_have_attribute("data-phase", "charging")
    first = visit.figure(words["energy"])
    page.wait_for_function(
        "([first]) => Number(document.querySelector('.dials dd').textContent.replace(/\\D/g, ''))"
        " > first + 20",
        arg=[first],
    )
    assert visit.fits()
    stop.click()
    expect(page.get_by_text(words["over"])).to_be_visible(timeout=30_000)
    assert visit.figure(words["spent"]) + visit.figure(words["back"]) in {149, 150, 151}
    assert visit.figure(words["back"]) > 100
    refund = page.locator("section[aria-labelledby=refund]")
    expect(refund.locator("code")).to_have_text(re.compile(r"^0x[0-9a-f]{64}$"))
    expect(refund.locator(".tag")).to_have_attribute("data-state", "final")
    assert visit.fits()
    page.get_by_role("link", name=words["again"]).click()
    expect(page.locator("#holds")).to_have_text(re.compile(words["holds"]))


def test_the_keyboard_is_enough(chromium, url):
    visit = Visit(chromium, url, DESK)
    page = visit.page
    page.goto(f"/s/{STEADY}")
    press = page.keyboard.press

    def tab_to(selector):
        for _ in range(30):
            press("Tab")
            if page.evaluate("(one) => document.activeElement.matches(one)", selector):
                return
        pytest.fail(f"the tabulator never comes to {selector}")

    press("Tab")
    assert page.evaluate("document.activeElement.matches('.skip')")
    tab_to("[name=unit]")
    tab_to("#amount")
    page.keyboard.type("1")
    tab_to("#made")
    press("Enter")
    expect(page.locator("#go")).to_be_enabled()
    tab_to("#go")
    press("Enter")
    page.wait_for_url("**/sessions/0x*")
    expect(page.locator("#stop")).to_be_visible()
    tab_to("#stop")
    press("Enter")
    expect(page.locator("#ride")).to_have_attribute("data-phase", "closed", timeout=30_000)
    visit.context.close()
    assert visit.faults == []


def test_a_page_without_a_script_loads_itself_again_and_comes_to_the_end(chromium, url):
    visit = Visit(chromium, url, DESK)
    page = visit.page
    page.goto(f"/s/{STEADY}")
    page.locator("#made").click()
    expect(page.locator("#go")).to_be_enabled()
    page.locator("#go").click()
    page.wait_for_url("**/sessions/0x*")
    plain = chromium.new_context(base_url=url, java_script_enabled=False, locale="en-GB")
    bare = plain.new_page()
    bare.goto(page.url)
    expect(bare.locator(".dials dd").first).to_have_text(
        re.compile(r"^0\.0\d\d\skWh$"), timeout=30_000
    )
    expect(bare.get_by_role("button", name="Stop charging")).to_be_hidden()
    page.get_by_role("button", name="Stop charging").click()
    expect(bare.get_by_text("is back in your wallet")).to_be_visible(timeout=30_000)
    bare.goto(f"/s/{STEADY}")
    expect(bare.get_by_text("Signing needs a script")).to_be_visible()
    plain.close()
    visit.context.close()
    assert visit.faults == []


def test_another_browser_sees_the_session_but_cannot_stop_it(chromium, url):
    visit, other = Visit(chromium, url, DESK), Visit(chromium, url, DESK)
    page = visit.page
    page.goto(f"/s/{QUICK}")
    page.locator("#made").click()
    expect(page.locator("#go")).to_be_enabled()
    page.locator("#go").click()
    page.wait_for_url("**/sessions/0x*")
    expect(page.locator("#stop")).to_be_visible()
    other.page.goto(page.url)
    expect(other.page.get_by_text("open this page in the browser that paid")).to_be_visible()
    expect(other.page.locator("#stop")).to_be_hidden()
    page.locator("#stop").click()
    expect(other.page.locator("#ride")).to_have_attribute("data-phase", "closed", timeout=30_000)
    other.context.close()
    visit.context.close()
    assert visit.faults == other.faults == []

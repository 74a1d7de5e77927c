"""Both languages say everything, and no template says anything by itself."""

import json
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from api.web.words import LANGUAGES, LIVE_GROUPS, choose_language, words_in

WEB = Path(__file__).parents[3] / "api/web"
TEMPLATES = sorted((WEB / "templates").glob("*.html"))
SCRIPTS = sorted((WEB / "static").glob("*.js"))
NAMES = {"Voisin", "12:00", "/api/overview", "/openapi.json"}
JINJA = re.compile(r"\{#.*?#\}|\{%.*?%\}|\{\{.*?\}\}", re.DOTALL)
LETTERS = re.compile(r"[^\W\d_]{2,}")
SPOKEN_ATTRIBUTES = {"title", "alt", "aria-label", "content", "placeholder", "label", "summary"}
PATHS = {"content": {"width=device-width, initial-scale=1", "light dark"}}


def catalog(language: str) -> dict[str, str]:
    return json.loads((WEB / f"i18n/{language}.json").read_text("utf-8"))


def places(text: str) -> list[str]:
    return sorted(re.findall(r"\{(\w+)\}", text))


class Untranslated(HTMLParser):
    """Collects what a reader would see of a template whose Jinja parts are gone."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_data(self, data: str) -> None:
        if data.strip() not in NAMES and LETTERS.search(data.replace("Voisin", "")):
            self.found.append(data.strip())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            spoken = name in SPOKEN_ATTRIBUTES and value not in PATHS.get(name, set())
            if spoken and LETTERS.search(value or ""):
                self.found.append(f"<{tag} {name}={value!r}>")


class TestCatalogs:
    def test_have_the_same_keys_in_every_language(self):
        keys = [set(catalog(language)) for language in LANGUAGES]
        assert keys[0] ^ keys[1] == set()

    def test_have_the_same_places_in_every_language(self):
        english, french = catalog("en"), catalog("fr")
        differ = {key for key in english if places(english[key]) != places(french[key])}
        assert differ == set()

    def test_leave_nothing_empty(self):
        for language in LANGUAGES:
            assert [key for key, text in catalog(language).items() if not text.strip(" ")] == []

    def test_are_sorted_so_that_a_change_is_easy_to_read(self):
        for language in LANGUAGES:
            assert list(catalog(language)) == sorted(catalog(language))

    def test_write_french_punctuation_with_spaces_that_do_not_break(self):
        bad = [key for key, text in catalog("fr").items() if re.search(r"[ \w][;:!?](\s|$)", text)]
        assert bad == []


class TestTemplates:
    @pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: path.name)
    def test_say_nothing_that_is_not_in_a_catalog(self, path: Path):
        reader = Untranslated()
        reader.feed(JINJA.sub("", path.read_text("utf-8")))
        assert reader.found == []

    def test_and_scripts_ask_for_keys_that_exist(self):
        asked: set[str] = set()
        for path in TEMPLATES:
            source = path.read_text("utf-8")
            asked |= set(re.findall(r"""\bt\(\s*["']([\w.]+)["']\s*\)""", source))
            asked |= set(re.findall(r"""["']((?:numbers|sessions|intervals)\.\w+)["']""", source))
        for path in (WEB / "static/formats.js", WEB / "formats.py"):
            source = path.read_text("utf-8")
            asked |= set(re.findall(r'"((?:unit|number)\.\w+)"', source))
        assert asked - set(catalog("en")) == set()
        assert len(asked) > 50

    def test_use_every_text_of_the_catalogs(self):
        source = "\n".join(
            path.read_text("utf-8") for path in [*TEMPLATES, *SCRIPTS, *WEB.glob("*.py")]
        )
        looked_up = ("weekday.", "month.", "word.", "live.", "laws.L", "chart.")
        unused = [
            key
            for key in catalog("en")
            if not key.startswith(looked_up)
            and f'"{key}"' not in source
            and f"'{key}'" not in source
        ]
        assert unused == []

    def test_run_no_script_and_no_style_inline(self):
        for path in TEMPLATES:
            source = path.read_text("utf-8")
            assert re.findall(r"<script(?![^>]*\bsrc=)", source) == []
            assert re.findall(r"\sstyle=|<style|\son\w+=|javascript:", source) == []

    def test_and_scripts_load_nothing_from_elsewhere(self):
        for path in [*TEMPLATES, *SCRIPTS, *(WEB / "static").glob("*.css")]:
            addresses = re.findall(r"(?:https?:)?//[\w.]+\.\w+", path.read_text("utf-8"))
            assert [one for one in addresses if "w3.org" not in one] == []


class TestWords:
    def test_give_the_script_what_it_needs_and_no_more(self):
        live = words_in("fr").live()
        assert live["number.decimal"] == ","
        assert all(key.startswith(LIVE_GROUPS) for key in live)
        assert "hero.what" not in live

    def test_stand_for_themselves_where_there_is_no_translation(self):
        assert words_in("fr").word("code", "something_new") == "something_new"

    def test_know_a_state_in_both_languages(self):
        assert words_in("en").word("session", "closed") == "refunded"
        assert words_in("fr").word("session", "closed") == "remboursée"

    def test_refuse_a_key_that_is_not_there(self):
        with pytest.raises(KeyError):
            words_in("en").text("no.such.key")


class TestChooseLanguage:
    @pytest.mark.parametrize(
        ("asked", "remembered", "accepted", "chosen"),
        [
            (None, None, "", "en"),
            ("fr", "en", "en", "fr"),
            (None, "fr", "en", "fr"),
            (None, None, "fr-FR,fr;q=0.9,en;q=0.8", "fr"),
            (None, None, "de,en;q=0.3,fr;q=0.7", "fr"),
            (None, None, "de", "en"),
            (None, None, "fr;q=0,en;q=0.1", "en"),
            (None, None, "fr ; q=0.5 , en ; q=0.500", "en"),
            (None, None, "FR", "fr"),
            (None, None, "fr;q=nonsense", "en"),
            ("xx", "yy", "fr", "fr"),
            ("../../etc/passwd", None, "", "en"),
        ],
    )
    def test_prefers_asked_then_remembered_then_accepted(self, asked, remembered, accepted, chosen):
        assert choose_language(asked, remembered, accepted) == chosen

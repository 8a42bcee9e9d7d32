"""Wikimedia Commons through the MediaWiki Action API, politely: one request at a time, and waiting when asked to."""

import html
import re
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import requests

from facecourse.core.downloads import TIMEOUT, TRY_AGAIN, USER_AGENT, download, retry_after

API = "https://commons.wikimedia.org/w/api.php"
PAUSE = 1.0  # seconds between two requests
MAXLAG = 5  # seconds the servers may lag behind before we let others go first (Manual:Maxlag parameter)
ATTEMPTS = 6
LONGEST_WAIT = 120  # seconds
WIDTH = 960  # pixels, one of the sizes that Wikimedia keeps ready ("Common thumbnail sizes", 2026)
BUSY = ("maxlag", "ratelimited", "readonly", "internal_api")  # how these errors' codes begin
PICTURES = {"image/jpeg": ".jpg", "image/png": ".png", "image/webp": ".webp"}
# Free in the sense of the Definition of Free Cultural Works: no -nc, no -nd.
FREE = re.compile(
    r"(cc0|cc-zero|cc-by(-sa)?(-[\d.]+.*)?|pd([-_ ].*)?|public-domain.*|godl-india|no-restrictions)$"
)


class CommonsError(RuntimeError):
    """Wikimedia Commons cannot be asked; the message says why and what to do."""


@dataclass(frozen=True)
class CommonsPhoto:
    """One file of Wikimedia Commons."""

    page: int  # number of its page, which stays when it is renamed
    title: str  # "File:..."
    url: str  # of a copy at most WIDTH pixels wide
    mime: str
    width: int  # of the original, in pixels
    height: int
    author: str  # like the licence in plain text, "" where not stated
    licence: str
    licence_url: str
    source: str  # address of the page that describes it
    licence_code: str

    as_dict = asdict

    @property
    def free(self) -> bool:
        """Whether it may be used and changed by anybody for anything, at most with attribution."""
        return bool(FREE.match((self.licence_code or self.licence).lower().replace(" ", "-")))


class Commons:
    """A client of the MediaWiki Action API at `api`, the address of api.php, with `pause` seconds between two
    requests.
    """

    def __init__(self, api: str = API, pause: float = PAUSE):
        self.api, self.pause = api, pause
        self.session = requests.Session()
        self.session.headers["User-Agent"] = USER_AGENT
        self._last = 0.0

    def search(self, words: str, most: int) -> list[CommonsPhoto]:
        """Return up to `most` pictures whose page holds `words`, best match first.

        Raises CommonsError if the API does not answer, or refuses.
        """
        asked = {
            "action": "query",
            "generator": "search",
            "gsrsearch": f'"{words}" filetype:bitmap',
            "gsrnamespace": 6,
            "gsrlimit": min(50, most),
            "prop": "imageinfo",
            "iiprop": "url|size|mime|extmetadata",
            "iiextmetadatafilter": "License|LicenseShortName|LicenseUrl|Artist",
            "iiurlwidth": WIDTH,
        }
        pages: dict[int, dict] = {}
        more: dict | None = {}
        while more is not None and sum("imageinfo" in page for page in pages.values()) < most:
            answer = self._ask(asked | more)
            for page in answer.get("query", {}).get("pages", []):
                # One page may come in several answers: first its title, later its imageinfo.
                pages.setdefault(page["pageid"], {}).update(page)
            more = answer.get("continue")
        found = sorted(pages.values(), key=lambda page: page.get("index", 0))
        return [_photo(page) for page in found if page.get("imageinfo")][:most]

    def fetch(self, photo: CommonsPhoto, part: Path) -> None:
        """Download a photo into `part`; raises `downloads.DownloadError` or OSError."""
        self._wait()
        download(photo.url, part)

    def _wait(self) -> None:
        time.sleep(max(0.0, self._last + self.pause - time.monotonic()))
        self._last = time.monotonic()

    def _ask(self, asked: dict) -> dict:
        """Ask once, or again while the servers are busy."""
        fixed = {"format": "json", "formatversion": 2, "maxlag": MAXLAG}
        for attempt in range(ATTEMPTS):
            self._wait()
            wait = min(5.0 * 2**attempt, LONGEST_WAIT)
            try:
                response = self.session.get(self.api, params=asked | fixed, timeout=TIMEOUT)
                wait = retry_after(response, LONGEST_WAIT) or wait
                if response.status_code != 200:
                    reason = f"the server answered {response.status_code}"
                    if response.status_code not in TRY_AGAIN:
                        break
                elif error := (answer := response.json()).get("error"):
                    reason = f"{error.get('code')}: {error.get('info', '')}"
                    if not reason.startswith(BUSY):
                        raise CommonsError(f"Wikimedia Commons refuses the question ({reason}).")
                else:
                    return answer
            except requests.JSONDecodeError:
                reason, wait = "no JSON came", min(wait, 5.0)
            except requests.RequestException as error:
                reason, wait = type(error).__name__, min(wait, 5.0)
                if isinstance(error, requests.ConnectionError) and attempt >= 1:
                    break  # twice no connection: the network is off
            if attempt < ATTEMPTS - 1:
                time.sleep(wait)
        raise CommonsError(
            f"Wikimedia Commons cannot be asked at {self.api} ({reason}). Check the network, or try again later: "
            "what has been fetched is kept, and the next run goes on from there."
        )


def _photo(page: dict) -> CommonsPhoto:
    info = page["imageinfo"][0]
    about = {key: str(entry.get("value", "")) for key, entry in info.get("extmetadata", {}).items()}
    return CommonsPhoto(
        page=int(page["pageid"]),
        title=page["title"],
        url=info.get("thumburl") or info.get("url", ""),
        mime=info.get("mime", ""),
        width=int(info.get("width", 0)),
        height=int(info.get("height", 0)),
        author=_plain(about.get("Artist", "")),
        licence=_plain(about.get("LicenseShortName", "")),
        licence_url=about.get("LicenseUrl", ""),
        source=info.get("descriptionurl", ""),
        licence_code=about.get("License", ""),
    )


def _plain(text: str) -> str:
    """Turn the HTML of an author's field into one line of text."""
    return re.sub(r"\s+", " ", html.unescape(re.sub(r"<[^>]*>", "", text))).strip()

"""How the page looks and is used without a mouse: a phone, light and dark, the keyboard, names, what is announced."""

import shutil

from chatdev.run.journal import Event

from .pages import events_of, product_in, run_address, start_run, until, wait_for_end

WIDTH = 360

TO_THE_END = """
() => new Promise((done) => {
  const one = document.querySelector('.scroller');
  one.addEventListener('scroll', () => requestAnimationFrame(done), { once: true });
  one.scrollTop = one.scrollHeight;
})
"""

FAINT = """
() => {
  const pad = document.createElement('canvas').getContext('2d', {willReadFrequently: true});
  const rgba = text => { pad.clearRect(0, 0, 1, 1); pad.fillStyle = text; pad.fillRect(0, 0, 1, 1);
    const [r, g, b, a] = pad.getImageData(0, 0, 1, 1).data; return [r, g, b, a / 255]; };
  const over = (top, under) => top.slice(0, 3).map((part, n) => part * top[3] + under[n] * (1 - top[3]));
  const linear = one => (one /= 255) <= 0.04045 ? one / 12.92 : ((one + 0.055) / 1.055) ** 2.4;
  const light = rgb => { const [r, g, b] = rgb.map(linear);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b; };
  const contrast = (a, b) => { const [dark, bright] = [light(a), light(b)].sort((x, y) => x - y);
    return (bright + 0.05) / (dark + 0.05); };
  const base = matchMedia('(prefers-color-scheme: dark)').matches ? [0, 0, 0] : [255, 255, 255];
  const behind = one => { const layers = [];
    for (let at = one; at; at = at.parentElement) layers.push(at instanceof SVGElement
      ? [0, 0, 0, 0] : rgba(getComputedStyle(at).backgroundColor));
    const box = one.closest('g.node') && one.closest('g.node').querySelector('rect');
    const under = layers.reverse().reduce((below, layer) => over(layer, below), base);
    return box ? over(rgba(getComputedStyle(box).fill), under) : under; };
  const found = new Set();
  const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walk.nextNode()) {
    const one = walk.currentNode.parentElement, style = getComputedStyle(one);
    if (!walk.currentNode.data.trim() || !one.getClientRects().length || style.visibility === 'hidden') continue;
    if (one.closest('script, noscript, title, option, .unseen, .thumb, :disabled')) continue;
    const ground = behind(one);
    let seen = 1;
    for (let at = one; at; at = at.parentElement) seen *= Number(getComputedStyle(at).opacity);
    const colour = rgba(one instanceof SVGElement ? style.fill : style.color);
    colour[3] *= seen;
    const ratio = contrast(over(colour, ground), ground);
    const size = parseFloat(style.fontSize), large = size >= 24 || (size >= 18.66 && Number(style.fontWeight) >= 700);
    const text = walk.currentNode.data.slice(0, 30);
    if (ratio < (large ? 3 : 4.5)) found.add(`${one.localName}.${one.className} ${ratio.toFixed(2)}: ${text}`);
  }
  return [...found];
}
"""
"""Texts whose contrast is below what WCAG 2 wants at level AA, as computed from what is painted."""

UNNAMED = """
() => [...document.querySelectorAll('a, button, input, select, textarea, summary, [tabindex="0"]')].filter(one =>
  one.getClientRects().length && !(one.textContent.trim() || one.getAttribute('aria-label') || one.title
    || (one.labels && one.labels.length))).map(one => one.outerHTML.slice(0, 120))
"""


SEEN = """
() => { const one = document.activeElement, box = one.querySelector('rect');
  return getComputedStyle(one).outlineStyle !== 'none' || (box && getComputedStyle(box).strokeWidth === '2px') }
"""
"""Whether one sees where the keyboard is."""
HEARD = """
() => { const place = document.querySelector('.dialogue [role=status]'); window.heard = [];
  new MutationObserver(() => heard.push(place.textContent)).observe(place, {childList: true}) }
"""
"""Keeps what a screen reader would say."""


def faults(page, what):
    """What is wrong with the page as it stands."""
    wide = page.evaluate("document.documentElement.scrollWidth") - WIDTH
    found = [f"{wide} pixels too wide"] if wide > 0 else []
    return [f"{what}: {one}" for one in [*found, *page.evaluate(FAINT), *page.evaluate(UNNAMED)]]


def test_every_view_fits_a_phone_and_can_be_read_in_light_and_dark(studio, open_page):
    start_run(studio.folder, "--model", "scripted:snake", "--quiet").communicate(timeout=120)
    product = product_in(studio.folder)
    other = shutil.copytree(product, product.parent / "another", ignore=shutil.ignore_patterns("lock"))
    views = {
        "#/": ".card",
        "#/new": "form",
        "#/companies": ".card",
        "#/company/default": ".node",
        run_address(product): ".kind-run_ended",
        f"#/beside/{product.name}/{other.name}": ".parting-body section",
        "#/run/nothing": ".problem",
        "#/nowhere": ".problem",
    }
    page = open_page("#/", viewport={"width": WIDTH, "height": 780})
    open_page.expected.append("404")  # of the product that is not there
    found = []
    for rest, there in views.items():
        page.evaluate("rest => { location.hash = rest }", rest)
        page.wait_for_selector(there)
        for scheme in ("light", "dark"):
            page.emulate_media(color_scheme=scheme)
            found += faults(page, (rest, scheme))
            for tab in ("Chain", "Files", "Checks", "Streams", "Costs") if rest == run_address(product) else ():
                page.get_by_role("tab", name=tab).click()
                if tab == "Files":
                    page.locator(".commits button").first.click()
                    page.wait_for_selector(".patch .src")
                found += faults(page, (tab, scheme))
    assert found == []


def test_a_run_is_followed_with_the_keyboard_and_by_ear(studio, open_page):
    start_run(studio.folder, "--model", "scripted:snake", "--quiet").communicate(timeout=120)
    product = product_in(studio.folder)
    page = open_page(run_address(product))
    wait_for_end(page)

    # From the first key on every stop is seen, and nothing holds the keyboard fast.
    page.evaluate("document.activeElement.blur()")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    stops = []
    for _ in range(200):
        page.keyboard.press("Tab")
        stops.append(
            page.evaluate(
                "(document.activeElement.getAttribute('aria-label') || document.activeElement.textContent).trim()"
            )
        )
        if page.evaluate("document.activeElement === document.body"):
            break
        assert page.evaluate(SEEN), f"the keyboard is not seen at {stops[-1]}"
    for name in ("Products", "Undo", "Fork", "Replay", "Export", "Files", "Files as they are now"):
        assert name in stops, "\n".join(stops)

    # A button that is of no use any more goes when the keyboard has left it, and never takes its place along.
    page.evaluate("document.querySelector('.scroller').scrollTop = 0")
    page.locator(".newest").wait_for()
    page.locator(".newest").focus()
    page.evaluate(TO_THE_END)
    assert page.evaluate("document.activeElement.classList.contains('newest')")
    page.keyboard.press("Tab")
    until(page, "document.querySelector('.newest').hidden")
    assert page.evaluate("document.activeElement !== document.body")

    page.get_by_role("tab", name="Files").focus()
    page.keyboard.press("ArrowRight")
    assert page.get_by_role("tab", name="Checks").get_attribute("aria-selected") == "true"
    page.locator(".node").first.focus()
    page.keyboard.press("Enter")
    until(page, "document.activeElement.textContent.startsWith('Demand analysis')")

    # What a screen reader is told of three hundred replies at once.
    assert page.locator("[role=log][aria-live=off]").count() == 1, "a reply is not read out word for word"
    page.evaluate(HEARD)
    last, said = events_of(product)[-1].id, events_of(product, "said")[-1]
    burst = [Event(last + n, said.at, "said", f"k{n}", said.data) for n in range(1, 301)]
    with (product / ".chatdev" / "journal.jsonl").open("ab") as journal:
        journal.write(b"".join(event.to_line() for event in burst))
    page.wait_for_selector(f".item[data-id='{burst[-1].id}']")
    until(page, "heard.length > 0")
    told = page.evaluate("heard")
    assert "Chief Product Officer has replied" in told[0]
    assert len(told) < 30, "of three hundred replies"
    assert max(len(one) for one in told) < 200, "who spoke, and never the words"

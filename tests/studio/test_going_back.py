"""Going back and looking back in the page: replay, blame, export, costs, undo, redo, fork, and where two runs part."""

import json

from chatdev.run.lock import holder

from .pages import eventually, product_in, run_address, start_run, until, wait_for_end


def test_going_back_looking_back_and_comparing(studio, open_page):
    start_run(studio.folder, "--model", "scripted:snake", "--quiet").communicate(timeout=120)
    product = product_in(studio.folder)
    product = product.rename(product.with_name("jeu éléphant #1 & 100%"))
    page = open_page(run_address(product), accept_downloads=True)
    focused = "document.activeElement.textContent"
    button = lambda name: page.get_by_role("button", name=name, exact=True)  # noqa: E731

    # A replay is left by Escape, and the keyboard is where it was.
    button("Replay").click()
    page.get_by_label("Moment of the run").fill("3")
    until(page, "document.querySelector('.replay output').textContent.startsWith('4 of')")
    page.locator(".kind-run_ended").wait_for(state="detached")
    assert page.locator(".chip").first.text_content() == "replay"
    page.keyboard.press("Escape")
    page.wait_for_selector(".kind-run_ended")
    until(page, f"{focused} === 'Replay'")

    # Who wrote a line, and the way from there into the dialogue.
    button("Files as they are now").click()
    button("snake.py").click()
    page.get_by_label("Line", exact=True).fill("27")
    button("Who wrote it?").click()
    blame = page.get_by_label("Who wrote the line")
    blame.get_by_text("Code modification [review.1.code_modification]").wait_for()
    assert "the neck" in blame.locator("details[open] .words").inner_text()
    blame.get_by_role("button", name="Show it in the dialogue").last.click()
    until(page, "document.activeElement.classList.contains('kind-said')")

    # What it cost is what the report says; the page of the run can be kept.
    report = json.loads((product / ".chatdev" / "report.json").read_text(encoding="utf-8"))
    page.get_by_role("tab", name="Costs").click()
    assert f"{report['tokens']:,}" in page.locator(".sums").inner_text()
    with page.expect_download() as download:
        button("Export").click()
    assert download.value.suggested_filename.startswith("jeu éléphant #1 & 100")
    kept = download.value.path().read_text(encoding="utf-8")
    assert "build a snake game" in kept
    assert "<script" not in kept

    # A fork goes another way while the parent stays as it is.
    button("Fork").click()
    page.get_by_label("At", exact=True).select_option("manual")
    page.get_by_label("Name").fill("another way")
    page.get_by_label("Tell the agents").fill("be brief")
    page.locator(".fork button[type=submit]").click()
    until(page, f"location.hash !== '{run_address(product)}'")
    wait_for_end(page)
    fork = page.evaluate("location.hash.split('/').pop()")

    # Undo asks which step, Escape leaves all as it was; what was undone comes back by Redo.
    page.evaluate("rest => { location.hash = rest }", run_address(product))
    page.wait_for_selector(f"[aria-label='Run {product.name}'] .kind-run_ended")
    button("Undo").click()
    page.get_by_label("Step", exact=True).press("Escape")
    until(page, f"{focused} === 'Undo' && !document.querySelector('.fork')")
    button("Undo").click()
    page.get_by_label("Step", exact=True).select_option("manual")
    button("Undo it").click()
    page.locator(".fork").wait_for(state="detached")
    page.wait_for_selector(".chip[data-state=stopped]")
    assert not (product / "manual.md").exists()
    button("Redo").click()
    page.wait_for_selector(".chip[data-state=unverified], .chip[data-state=verified]")
    eventually(lambda: (product / "manual.md").is_file() and holder(product / ".chatdev") is None)
    button("Undo").click()
    page.get_by_label("Step", exact=True).select_option("manual")
    button("Undo it").click()
    page.locator(".fork").wait_for(state="detached")
    page.wait_for_selector(".chip[data-state=stopped]")

    # Side by side: where they part, in words and in code, and the place in both dialogues.
    page.evaluate("rest => { location.hash = rest }", f"{run_address(product)}/{fork}".replace("run", "beside", 1))
    words = page.get_by_label("In words", exact=True)
    words.get_by_text("The first 8 replies are the same").wait_for()
    assert f"{product.name} ends with Environment document" in words.inner_text()
    assert "the customer says to cpo" in words.inner_text()
    assert words.locator(".differ .add").first.text_content().strip() == "+be brief"
    code = page.get_by_label("In code", exact=True)
    assert "1 file differs: manual.md +23 −0" in code.inner_text()
    assert code.locator("tr.add").count() == 23
    page.get_by_role("button", name="Show the place in both").click()
    until(
        page,
        "(() => { const [, right] = document.querySelectorAll('.scroller'); const box = right.getBoundingClientRect();"
        "const said = right.querySelector('.kind-message').getBoundingClientRect();"
        "return said.top >= box.top - 1 && said.top < box.bottom; })()",
    )
    assert page.evaluate("document.getElementById('main').scrollTop") == 0, "the page itself stays where it is"

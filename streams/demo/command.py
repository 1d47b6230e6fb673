"""``offerstream demo``, from the first thing started to the last line printed."""

from __future__ import annotations

import json
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import msgspec
from rich.markup import escape

from streams.demo import before_after, campaigns, demand, items, prices, recommending, systems
from streams.demo.campaigns import Campaigns
from streams.demo.following import ItemsLog, fates, follow
from streams.demo.hindsight import Hindsight, period
from streams.demo.nights import Nights
from streams.demo.page import page
from streams.demo.part import Part
from streams.demo.recommending import OwnModel
from streams.demo.recording import Recording
from streams.demo.running import DemoError, console, set_up
from streams.demo.sending import Catalogue, Sending
from streams.demo.story import choose, tell
from streams.demo.summary import show, summary
from streams.demo.systems import Example
from streams.demo.watching import Watch
from streams.outside.reading import Reader
from streams.terminal import interruptible
from training.datasets import COMPLETE_JOURNEY


def run(broker: str | None, out: Path, part: Part) -> int:
    """Run the demo; returns the exit code. The numbers go to ``out``, the page beside it. Everything it started is
    stopped, also on Ctrl-C and SIGTERM."""
    interruptible()
    beside = out.with_suffix(".html")
    try:
        if beside == out:
            raise DemoError(f"{out} is where the page goes: let --out name a file for the numbers, such as demo.json.")
        with ExitStack() as stack:
            numbers = _run(stack, broker, part)
    except KeyboardInterrupt:
        console.print("Stopped.")
        return 130
    except DemoError as error:
        console.print("[red]error:[/]", escape(str(error)), highlight=False)
        return 1
    out.parent.mkdir(parents=True, exist_ok=True)
    beside.write_text(page(numbers), encoding="utf-8")
    out.write_text(json.dumps(numbers, indent=2) + "\n")
    show(console, numbers, out, beside)
    return 0 if numbers["adds_up"] else 1


def _run(stack: ExitStack, broker: str | None, part: Part) -> dict[str, Any]:
    folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="offerstream-demo-")))
    running = set_up(stack, folder, broker)
    recording = Recording()
    reader = stack.enter_context(Reader(running.kafka))
    starts, log = systems.ends(reader), ItemsLog(reader, running.app_id)
    watch = Watch(running.kafka, recording)
    stack.callback(watch.stop)
    catalogue = Catalogue(running.kafka, part)
    acting = Campaigns(running.settings, running.worker.kill_and_restart)
    own = OwnModel(running.settings, acting.caught_up)
    nights = Nights(lambda: int(catalogue.items.sales.day.max()), acting.caught_up)
    sending = Sending(
        running.kafka,
        recording,
        part,
        after=catalogue.listed,
        paced=lambda events: acting.paced(nights.paced(own.paced(events))),
    )
    console.print(f"Replaying Complete Journey ({COMPLETE_JOURNEY.meaning}){part.in_words}.")
    console.print(
        f"The newest alerts and offers {'as they come' if console.is_terminal else 'are shown at the end'}:\n"
    )
    watch.start()
    catalogue.start()
    sending.start()
    followed = follow(running, sending, catalogue, acting, watch, log)
    followed.fates, followed.items_in = fates(reader, running, log)
    with console.status("Looking back: did the alerts come true?"):
        systems.read_answers(reader, starts, recording)
        looked_back = Hindsight(recording).summary()
        alert = choose(recording)
        story = None if alert is None else tell(recording, alert)
        profiled = items.newest_profiles(reader, starts, items.since(recording.end_ms))
        listed = items.lists(profiled, catalogue.items)
        examples = {} if story is None else {"shopper": Example(story.shopper_id, story.at_ms)}
        if listed["best_sellers"]:
            examples["item"] = Example(listed["best_sellers"][0]["item_id"], recording.end_ms)
        alike = systems.alike(reader, starts)
        answered = systems.answered(reader, starts, recording, examples, alike)
        enriched = before_after.told(reader, starts, catalogue.items, alike["multimodal"])
        priced = prices.best(reader, starts, catalogue.items)
        foretold = demand.summary(reader, starts, recording.end_ms, catalogue.items, running.settings)
        held = campaigns.summary(acting, reader, starts, recording, followed.samples)
    read = {**watch.read(), "scored": len(recording.scored), "item_profiles": answered["items"]["answers"]}
    told = summary(followed, sending.lane.sent, read, recording)
    return {
        **told,
        **looked_back,
        "adds_up": told["adds_up"] and all(each["adds_up"] for each in held),
        "campaigns": held,
        "said_again": watch.again(),
        "period": period(recording),
        "systems": answered,
        "recommended": recommending.in_words(answered[recommending.TASK]["example"], catalogue.items),
        "enriched": enriched,
        "items": items.summary(followed, catalogue.kinds, listed),
        "demand": foretold,
        "prices": priced,
        "story": msgspec.to_builtins(story),
    }

"""``offerstream demo``, from the first thing started to the last line printed."""

from __future__ import annotations

import json
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import msgspec
from rich.live import Live
from rich.markup import escape

from streams.demo import systems
from streams.demo.hindsight import Hindsight, period
from streams.demo.page import page
from streams.demo.recording import Recording
from streams.demo.scrape import records, scrape
from streams.demo.sending import Sending
from streams.demo.stage import DemoError, Stage, console, set_up
from streams.demo.story import choose, tell
from streams.demo.summary import show, summary
from streams.demo.watching import Watch
from streams.reading import Reader
from streams.terminal import TELL_SECONDS, interruptible
from training.datasets import COMPLETE_JOURNEY

#: The slowest step has no end in sight for longer than this only when something is wrong.
PATIENCE_SECONDS = 150


def run(broker: str | None, out: Path, start_ms: int | None, stop_ms: int | None) -> int:
    """Run the demo; returns the exit code. The numbers go to ``out``, the page beside it. Everything it started is
    stopped, also on Ctrl-C and SIGTERM."""
    interruptible()
    beside = out.with_suffix(".html")
    try:
        if beside == out:
            raise DemoError(f"{out} is where the page goes: let --out name a file for the numbers, such as demo.json.")
        with ExitStack() as stack:
            numbers = _run(stack, broker, start_ms, stop_ms)
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


def _run(stack: ExitStack, broker: str | None, start_ms: int | None, stop_ms: int | None) -> dict[str, Any]:
    folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="offerstream-demo-")))
    stage = set_up(stack, folder, broker)
    recording = Recording()
    reader = stack.enter_context(Reader(stage.kafka))
    starts = systems.ends(reader)
    watch = Watch(stage.kafka, recording)
    stack.callback(watch.stop)
    sending = Sending(stage.kafka, recording, start_ms, stop_ms)
    console.print(f"Replaying Complete Journey ({COMPLETE_JOURNEY.meaning}){sending.part}.")
    console.print("Alerts and offers as they come:\n")
    watch.start()
    sending.start()
    progress = _follow(stage, sending, watch)
    samples = scrape(stage.port)
    with console.status("Looking back: did the alerts come true?"):
        systems.read_answers(reader, starts, recording)
        looked_back = Hindsight(recording).summary()
        alert = choose(recording)
        story = None if alert is None else tell(recording, alert)
        whom, when = ("", 0) if story is None else (story.shopper_id, story.at_ms)
        answered = systems.answered(reader, starts, recording, whom, when)
    read = {**watch.read(), "scored": recording.scored}
    return {
        **summary(samples, sending.sent, progress, read),
        **looked_back,
        "period": period(recording),
        "systems": answered,
        "story": msgspec.to_builtins(story),
    }


def _follow(stage: Stage, sending: Sending, watch: Watch) -> list[tuple[float, int, int]]:
    """Show what comes until all that was sent is processed; returns (seconds, sent, processed) as it went."""
    began = last_change = told = time.monotonic()
    progress = [(0.0, 0, 0)]
    with Live(console=console, refresh_per_second=4, transient=False) as live:
        while True:
            done, now = records(scrape(stage.port)), time.monotonic()
            if done != progress[-1][2]:
                last_change = now
            progress.append((now - began, sending.sent, done))
            live.update(watch.view(sending.sent, done, now - began))
            if not console.is_terminal and now - told >= TELL_SECONDS:
                told = now
                console.print(watch.status(sending.sent, done, now - began), highlight=False)
            if sending.failure is not None:
                raise DemoError(f"The replay failed: {sending.failure}")
            if sending.finished.is_set() and done >= sending.sent:
                break
            if stage.worker.poll() is not None:
                raise stage.fail(f"The worker ended with code {stage.worker.returncode}")
            if now - last_change > PATIENCE_SECONDS:
                raise stage.fail(f"Nothing was processed for {PATIENCE_SECONDS} s")
            time.sleep(0.2)
        watch.settle()
        live.update(watch.view(sending.sent, done, now - began))
    return progress

"""``offerstream encoders``: pre-trained encoders, brought by a package or a folder, proven and kept beside models."""

from __future__ import annotations

import json
from pathlib import Path

import click
import msgspec

from streams.commands.common import JSON, TEXT
from streams.commands.groups import Group
from streams.outside.lines import Lines
from streams.records.items import CatalogRecord, item_decoder
from streams.settings import Settings
from streams.terminal import console, print_rows


@click.group(cls=Group)
def encoders() -> None:
    """Pre-trained encoders of texts and pictures: teachers, whose vectors checks and training take.

    Kept in OFFERSTREAM_MODELS, beside versions of models. A version is named by a digest of graph, tokenizer and
    declaration together, and never changes.
    """


@encoders.command("add")
@click.argument("source", type=TEXT)
def encoders_add(source: str) -> None:
    """Prove an encoder and keep it. SOURCE: a folder with encoder.toml and the files that it names, or one of those
    that come in packages: minilm, use-multilingual, lite0 (pip install 'offerstream[encoders]').

    Refused are an encoder without a licence, and one that fails, says the same of everything, or says something else in
    another order.
    """
    from models.artifact import UnknownName
    from models.encoder import of_folder
    from models.nearest import unknown
    from models.store import Store

    if Path(source).is_dir():
        found = of_folder(Path(source))
    else:
        # What writes graphs needs more than what reads them.
        from training.pretrained import PRETRAINED

        if source not in PRETRAINED:
            raise UnknownName(f"{source} is no folder. {unknown('packaged encoder', source, PRETRAINED)}")
        found = PRETRAINED[source]()
    Store(Settings.from_environment().models).keep_encoder(found)
    spent = ", ".join(f"{what} {ms:g} ms" for what, ms in found.card["milliseconds"].items())
    click.echo(
        f"{found.name} {found.version}: {found.card['width']} numbers, {found.declaration.licence}. {spent} here."
    )


@encoders.command("distill")
@click.argument("teacher", type=TEXT)
@click.argument("file", type=TEXT)
@click.option("--name", type=TEXT, required=True, help="What the small encoder is called.")
@click.option("--version", type=TEXT, help="Of the teacher, or its start, where several are kept.")
def encoders_distill(teacher: str, file: str, name: str, version: str | None) -> None:
    """Teach a small encoder what texts are alike to a large one that is kept, and keep it too.

    FILE has records item_listed and item_changed with a title, one JSON object per line, gzip or not; - is standard
    input. The small encoder is a table with a row per token of these texts, at most 0.8 MB and the teacher's tokenizer,
    and answers within some 0.1 ms. It has the teacher's licence.
    """
    from models.encoder import Encoder
    from models.store import Store
    from training.pretrained.student import distilled
    from training.progress import progress

    store = Store(Settings.from_environment().models)
    large = Encoder(store.encoder(teacher, version))
    with progress(console) as tell:
        found = distilled(large, _texts(file), name, tell=tell)
    store.keep_encoder(found)
    click.echo(f"{found.name} {found.version}: {found.card['width']} numbers. {found.declaration.limits}")


def _texts(file: str) -> list[str]:
    """Titles of a catalogue's records, each also with the description. Other lines are passed over."""
    found = []
    with Lines(file) as lines:
        for _, line in lines:
            try:
                record = item_decoder.decode(line)
            except (msgspec.MsgspecError, UnicodeError, RecursionError):
                continue
            if isinstance(record, CatalogRecord) and record.title:
                found += [record.title, *([f"{record.title}\n{record.description}"] if record.description else [])]
    return found


@encoders.command("list")
@JSON
def encoders_list(as_json: bool) -> None:
    """Print every version of every encoder that is kept."""
    from models.store import Store

    store = Store(Settings.from_environment().models)
    rows = []
    for name in store.encoders():
        for version in store.encoder_versions(name):
            found = store.encoder(name, version)
            takes = "text" if found.declaration.text else "image"
            rows.append(
                (name, version, takes, str(found.card["width"]), found.declaration.licence, found.declaration.source)
            )
    print_rows(("encoder", "version", "takes", "width", "licence", "from"), rows, as_json)


@encoders.command("show")
@click.argument("name", type=TEXT)
@click.argument("version", required=False, type=TEXT)
def encoders_show(name: str, version: str | None) -> None:
    """Print the card of an encoder; VERSION, or its start, where several are kept."""
    from models.store import Store

    click.echo(json.dumps(Store(Settings.from_environment().models).encoder(name, version).card, indent=2))

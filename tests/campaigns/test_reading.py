"""Files of campaigns: all that is wrong is told at once, with its line, and nothing dangerous is read."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.campaigns import examples
from streams.campaigns.reading import CampaignError, campaigns_of
from streams.campaigns.yaml_lines import MAX_BYTES, read
from streams.records.campaigns import CampaignSet, encode, json_schema
from streams.records.schema import descriptions
from tests.campaigns.builders import WORDS

GOOD = """\
shop:
  time_zone: Europe/Berlin
  segments:
    vip: orders.spend > 100000
campaigns:
  - id: a
    approval: approved
    approved_by: Ada
    audience: segment.vip and orders.count > 2
    trigger: {kind: event, types: [order_placed]}
    arms:
      - {id: ten, kind: percent, percent: 10, max_discount_cents: 900, assumed_uplift: 0.1}
    budget: {USD: {total_cents: 100, daily_cents: 100}}
    start: 2026-01-01T00:00:00Z
    end: 2026-02-01T00:00:00+01:00
    quiet_hours: {start: 21:00, end: 07:30}
    economics: {basket: orders.average_value}
    coupons: {source: pool, pool: spring}
    exclusions: []
"""


def told(text: str, currency: str | None = "USD") -> list[tuple[int, str, str]]:
    """(line, field, rule) of all that is wrong."""
    with pytest.raises(CampaignError) as found:
        campaigns_of(text, WORDS, currency)
    return [(p.line, p.field, f"{p.value} {p.rule}") for p in found.value.problems]


def test_a_good_file_is_read_as_it_is_meant() -> None:
    (found,) = campaigns_of(GOOD, WORDS, "USD").campaigns
    assert found.quiet_hours is not None
    assert (found.quiet_hours.start, found.quiet_hours.end) == ("21:00", "07:30")  # not 1260 minutes
    assert found.end.isoformat() == "2026-02-01T00:00:00+01:00"
    assert found.caps[0].offers == 1


@pytest.mark.parametrize(
    ("old", "new", "line", "field", "rule"),
    [
        ("Europe/Berlin", "Mars/Base", 2, "shop.time_zone", "'Mars/Base' it must be an IANA name"),
        ("vip: orders.spend", "vip: order.spend", 4, "shop.segments.vip", "did you mean orders.spend?"),
        ("\ncampaigns:", '\n    V: "true"\ncampaigns:', 5, "shop.segments.V", "the name 'V' cannot be used"),
        ("id: a\n", "id: A b\n", 6, "campaigns[0].id", "'A b' it must be lower-case letters"),
        ("approval: approved", "aproval: approved", 7, "campaigns[0].aproval", "did you mean approval?"),
        ("approval: approved", "approval: yes", 7, "campaigns[0].approval", "'yes' it must be one of: draft, approved"),
        ("    approved_by: Ada\n", "", 6, "campaigns[0].approved_by", "say who approved it"),
        ("segment.vip", "segment.vp", 9, "campaigns[0].audience", "column 1: There is no segment.vp: did you mean"),
        ("orders.count > 2", "orders.count", 9, "campaigns[0].audience", "column 17: orders.count is a number"),
        ("order_placed", "OrderPlaced", 10, "campaigns[0].trigger.types[0]", "did you mean order_placed?"),
        (
            "kind: event",
            "kind: events",
            10,
            "campaigns[0].trigger.kind",
            "'events' it must be one of: due_point, event",
        ),
        (", types: [order_placed]", "", 10, "campaigns[0].trigger.types", "it is missing. Types of events"),
        ("percent: 10,", "percent: 101,", 12, "campaigns[0].arms[0].percent", "101 it must be <= 100"),
        ("percent: 10,", "percent: 9.5,", 12, "campaigns[0].arms[0].percent", "9.5 it must be a whole number"),
        ("percent: 10,", "percent: 10, names: [x],", 12, "campaigns[0].arms[0].names", "and only there"),
        (
            "percent: 10,",
            "percent: 10, applies_to: trigger_item,",
            12,
            "campaigns[0].arms[0].applies_to",
            "about an item",
        ),
        (", assumed_uplift: 0.1", "", 12, "campaigns[0].arms[0].assumed_uplift", "it is missing. How much likelier"),
        ("USD:", "EUR:", 13, "campaigns[0].budget", "the shop's currency is USD"),
        ("USD:", "usd:", 13, "campaigns[0].budget.usd", "an ISO 4217 code, such as USD"),
        ("daily_cents: 100", "daily_cents: 101", 13, "campaigns[0].budget.USD.daily_cents", "101 it must be at most"),
        ("2026-01-01T00:00:00Z", "2026-01-01", 14, "campaigns[0].start", "it must be a time such as"),
        ("2026-01-01T00:00:00Z", "2026-01-01T00:00:00", 14, "campaigns[0].start", "it needs an offset"),
        ("2026-02-01T", "2025-02-01T", 15, "campaigns[0].end", "it must be later than start"),
        ("end: 07:30", "end: 7:30", 16, "campaigns[0].quiet_hours.end", "'7:30' it must be a time of day as HH:MM"),
        ("end: 07:30", "end: 21:00", 16, "campaigns[0].quiet_hours.end", "it must differ from start"),
        ("average_value", "count", 17, "campaigns[0].economics.basket", "it must be a feature in cents"),
        ("average_value", "averagevalue", 17, "campaigns[0].economics.basket", "did you mean orders.average_value?"),
        (", pool: spring", "", 18, "campaigns[0].coupons.pool", "name the pool"),
        ("exclusions: []", "exclusions: [a]", 19, "campaigns[0].exclusions[0]", "cannot exclude itself"),
        ("exclusions: []", "exclusions: [b]", 19, "campaigns[0].exclusions[0]", "no campaign of this file"),
        ("exclusions: []", "caps: []", 19, "campaigns[0].caps", "it must have at least 1, not 0"),
        ("exclusions: []", "priority: true", 19, "campaigns[0].priority", "it must be a whole number"),
        ("exclusions: []", "id: b", 19, "campaigns[0].id", "it stands in line 6 already"),
        ("exclusions: []", "pacing: [even]", 19, "campaigns[0].pacing", "it must be"),
        ("shop:", "shop: &a", 1, "", "Anchors"),
        ("Ada", "!!python/name:os.system", 8, "", "The tag"),
        ("    budget", "\tbudget", 13, "", "This is no YAML"),
    ],
)
def test_what_is_wrong_is_told_with_its_line(old: str, new: str, line: int, field: str, rule: str) -> None:
    assert old in GOOD
    (found,) = told(GOOD.replace(old, new, 1))
    assert found[:2] == (line, field)
    assert rule in found[2]


def test_all_errors_are_told_at_once_in_order_of_their_lines() -> None:
    text = GOOD.replace("percent: 10", "percent: 0").replace("approval:", "aproval:").replace("count > 2", "cuont > 2")
    assert [line for line, *_ in told(text)] == [7, 9, 12]
    two = GOOD + GOOD[GOOD.index("  - id") :].replace("Ada", "Ada\n    priority: 5")
    assert told(two)[0][1:] == ("campaigns[1].id", "'a' another campaign has this id; each has its own.")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "The file is empty"),
        ("# nothing\n", "The file is empty"),
        ("- 1", "named fields must stand here"),
        ("campaigns: 5", "it must be a list"),
        ("a: [", "This is no YAML"),
        ("a: *b", "aliases"),
        ("campaigns: []\n---\ncampaigns: []", "A file is one document"),
        ("[" * 40, "at most 16 deep"),
        ("a: " + "x" * MAX_BYTES, "bytes; split it"),
        ("? [a]\n: 1", "A name must be a text"),
        ("\0", "This is no YAML"),
    ],
)
def test_a_file_that_is_none_is_refused_before_it_does_harm(text: str, says: str) -> None:
    assert says in told(text)[0][2]


@settings(max_examples=100)
@given(st.text(max_size=60) | st.lists(st.sampled_from(list(GOOD.splitlines(keepends=True))), max_size=12).map("".join))
def test_any_text_is_read_or_refused_with_a_line_of_it(text: str) -> None:
    problems = []
    try:
        campaigns_of(text, WORDS)
    except CampaignError as error:
        problems = error.problems
        assert problems
    assert all(1 <= p.line <= text.count("\n") + 2 and p.rule.endswith((".", "?")) for p in problems)


@pytest.mark.parametrize("name", examples.NAMES)
def test_an_example_is_read_and_comes_back_from_its_record(name: str) -> None:
    found = campaigns_of(examples.text(name), WORDS, "USD")
    assert [campaign.id for campaign in found.campaigns] == [name]
    assert msgspec.json.decode(encode(found), type=CampaignSet) == found


def test_every_example_that_is_shipped_is_listed() -> None:
    from importlib.resources import files

    shipped = {f.name.removesuffix(".yaml") for f in files("streams.campaigns.examples").iterdir() if "yaml" in f.name}
    assert shipped == set(examples.NAMES)


def test_a_pool_is_of_one_campaign() -> None:
    both = GOOD + GOOD[GOOD.index("  - id") :].replace("id: a", "id: b", 1)
    with pytest.raises(CampaignError, match="pool is 'spring': a takes its codes; a pool is one campaign's") as wrong:
        campaigns_of(both, WORDS)
    assert len(wrong.value.problems) == 1
    over = both.replace("approval: approved", "approval: stopped", 1)
    assert len(campaigns_of(over, WORDS).campaigns) == 2


ADS = """
campaigns:
  - id: spring
    audience: "true"
    trigger: {kind: ad_requested}
    arms:
      - {id: tea, kind: ad, names: [tea-1, tea-2]}
      - {id: rest, kind: ad, valid_days: 1}
    economics: {gross_margin: 0.4}
    budget: {USD: {total_cents: 100}}
    start: 2026-01-01T00:00:00Z
    end: 2026-02-01T00:00:00Z
"""


def test_a_campaign_of_ads_has_what_ads_have() -> None:
    (found,) = campaigns_of(ADS, WORDS, "USD").campaigns
    assert found.of_ads
    assert [(arm.id, arm.names, arm.valid_days) for arm in found.ads] == [
        ("tea", ("tea-1", "tea-2"), 0.05), ("rest", (), 1.0)
    ]  # fmt: skip
    assert not found.offers
    assert CampaignSet.of(CampaignSet(campaigns=(found,)).described()) == CampaignSet(campaigns=(found,))


@pytest.mark.parametrize(
    ("old", "new", "line", "field", "rule"),
    [
        ("{kind: ad_requested}", "{kind: silence}", 7, "campaigns[0].arms[0].kind", "'ad' arms of kind ad are of"),
        (
            "{id: rest, kind: ad, valid_days: 1}",
            "{id: rest, kind: content, assumed_uplift: 0.1}",
            8,
            "campaigns[0].arms[1].kind",
            "'content' arms of kind ad are of",
        ),
        (
            "id: rest, kind: ad",
            "id: rest, kind: ad, names: [tea-2]",
            8,
            "campaigns[0].arms[1].names",
            "'tea-2' an ad is",
        ),
        ("names: [tea-1, tea-2]", "names: []", 8, "campaigns[0].arms[1].names", "an ad is of one arm"),
        ("valid_days: 1", "valid_days: 8", 8, "campaigns[0].arms[1].valid_days", "8"),
        ("gross_margin: 0.4", "contact_cents: 4", 9, "campaigns[0].economics.contact_cents", "4 only offers have it"),
        ('audience: "true"', 'audience: "true"\n    priority: 7', 5, "campaigns[0].priority", "7 only offers have it"),
    ],
)
def test_what_only_offers_have_is_refused_of_ads(old: str, new: str, line: int, field: str, rule: str) -> None:
    found = told(ADS.replace(old, new))
    assert any((at, of) == (line, field) and rule in text for at, of, text in found), found


def test_a_digest_names_what_campaigns_say_not_how_they_are_written() -> None:
    second = GOOD.replace("id: a", "id: b", 1).replace("pool: spring", "pool: summer", 1)
    one = GOOD + second[second.index("  - id") :]
    other = second + GOOD[GOOD.index("  - id") :].replace("21:00", '"21:00"')
    found = [campaigns_of(text, WORDS).digest for text in (one, other, one.replace("percent: 10", "percent: 9", 1))]
    assert found[0] == found[1] != found[2]


def test_every_field_is_described_in_the_schema_with_its_default() -> None:
    schema = json_schema()
    for name, of in schema["$defs"].items():
        for field, said in of["properties"].items():
            assert said["description"].endswith("."), (name, field)
            if "default" in said:
                assert "default" in said["description"], (name, field)
    assert descriptions(CampaignSet).keys() == {"shop", "campaigns"}


def test_plain_words_are_read_as_people_read_them() -> None:
    text = "a: [on, no, 08:00, 2026-01-01, 1_000, 0x10, 010, 1e3, .5, null, ~, 'true', true, -3]"
    assert read(text).value["a"] == [
        *("on", "no", "08:00", "2026-01-01", "1_000", "0x10", 10, 1000.0, 0.5, None, None, "true", True, -3),
    ]

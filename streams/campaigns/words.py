"""A receipt as a marketer reads it."""

from __future__ import annotations

from streams.campaigns.reasons import Why
from streams.records.receipts import ArmWeighed, Receipt
from streams.records.words import money, printable, shown_time

#: Reason → sentence; one of a newer version stands as it is.
_SENTENCES = {why.word: why.sentence for why in Why}


def in_words(receipt: Receipt) -> list[str]:
    """A receipt in plain lines: what came of it, what was known, what each arm would have brought, what objected."""
    lines = [f"{shown_time(receipt.event_time_ms)}, campaign {receipt.campaign}, shopper {receipt.shopper_id}:"]
    if receipt.decision == Why.OFFERED.word:
        lines.append(f"An offer was made: {receipt.arm}{_items(receipt)} (offer {receipt.offer_id}).")
    else:
        lines.append(f"No offer, because {receipt.reason}.")
    if receipt.arm is not None and receipt.decision != Why.OFFERED.word:
        lines.append(f"It would have been {receipt.arm}{_items(receipt)}.")
    if receipt.due_again_ms is not None:
        lines.append(f"The shopper is looked at again at {shown_time(receipt.due_again_ms)}.")
    known = ", ".join(f"{name} {_number(value)}" for name, value in receipt.values.items())
    lines.append(f"Known of the shopper: {known or 'nothing was asked'}.")
    lines += [f"- {_arm(receipt, arm)}" for arm in receipt.arms]
    if receipt.arms and receipt.price > 0:
        lines.append(
            f"The budget is scarce: a cent of cost must bring {1 + receipt.price:.2f} cents.{_money_short(receipt)}"
        )
    if receipt.propensity is not None:
        lines.append(_choice(receipt))
    if receipt.held_back:
        lines.append(f"Held back by: {', '.join(map(_guard, receipt.held_back))}.")
    if receipt.passed:
        lines.append(f"Nothing against it had: {', '.join(map(_guard, receipt.passed))}.")
    if receipt.models:
        used = ", ".join(f"{model.task} {model.version} ({model.digest})" for model in receipt.models)
        lines.append(f"Models: {used}.")
    if receipt.sample_share < 1:
        lines.append(f"Such decisions leave a receipt in {receipt.sample_share:.2%} of cases; this is one of them.")
    return [printable(line) for line in lines]


def _items(receipt: Receipt) -> str:
    return f" for {', '.join(receipt.items)}" if receipt.items else ""


def _money_short(receipt: Receipt) -> str:
    """Whether the price decided, or what was at hand."""
    worth = next((arm.worth_cents for arm in receipt.arms if arm.arm == receipt.arm), None)
    if receipt.decision != Why.BUDGET_SPENT.word or worth is None:
        return ""
    if worth <= 0 and not receipt.explored:
        return f" That is more than {receipt.arm} would."
    return f" At that price {receipt.arm} would be worth it, but too little of the budget is at hand."


def _arm(receipt: Receipt, arm: ArmWeighed) -> str:
    if arm.refused is not None:
        return f"{arm.arm} may not be offered: {_SENTENCES.get(arm.refused, arm.refused)}."
    lift = f"{100 * arm.uplift:+.1f} orders per 100 shoppers" if arm.uplift is not None else "unknown"
    cost, profit = _money(arm.cost_cents, receipt), _money(arm.profit_cents, receipt)
    worth = ""
    if receipt.price > 0 and arm.worth_cents is not None:
        worth = f", {_money(arm.worth_cents, receipt)} at the price of the budget"
    return f"{arm.arm} would bring {lift}, cost {cost} and make {profit} more profit{worth}."


def _choice(receipt: Receipt) -> str:
    what = receipt.arm or "no contact"
    how = "drawn, to learn" if receipt.explored else "what is worth most"
    many = f"{receipt.admissible} arm{'s' if receipt.admissible != 1 else ''}"
    return f"Of {many} and no contact, {what} was chosen: {how}. It had a chance of {receipt.propensity:.1%}."


def _money(cents: float | None, receipt: Receipt) -> str:
    return "unknown" if cents is None else money(round(cents), receipt.currency)


def _number(value: float | None) -> str:
    return "unknown" if value is None else f"{value:,.4g}" if abs(value) < 1000 else f"{value:,.0f}"


def _guard(word: str) -> str:
    return word.replace("_", " ")

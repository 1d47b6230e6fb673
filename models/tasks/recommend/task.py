"""Which items come next?"""

from models.task import AtLeast, Next, Output, Task

#: Items that an answer lists, best first.
LISTED = 24
#: … and what goes with a cart.
WITH_CART = 10
_OF_ITEMS = "It says of items why they are listed; the list is held against what comes."
_OF_CART = "Most have no cart; what they touch next, of whatever reason, is what the list of items is held against."

RECOMMEND = Task(
    name="recommend",
    question="Which items are in the next order, cart or look of this shopper?",
    features=(
        "items.bought_code",
        "items.bought_days",
        "items.bought_times",
        "items.seen_code",
        "sequence.types",
        "sequence.gap_hours",
        "orders.count",
        "orders.gap_mean",
        "orders.days_since_first",
        "orders.days_since_last",
        "items.in_cart",
    ),
    # The list is held against the item of the next event (of an order: of its dearest line).
    # ``again``: how much of what comes next the shopper had before. Places are those of the ``names`` of a version:
    # the items that it can tell of. ``weight``: of each, its share of all that were weighed, best first; 0 where a
    # version knows fewer items. ``beside``: the item that the shopper knows with which each goes best; -1: none.
    # ``cart``: what goes with the items in the cart, best first, none of them; ``cart_weight``: of each, its share of
    # all that goes with them, 0 where there is no more; ``cart_of``: the item of the cart with which it goes best.
    outputs=(
        Output("again", untold="A share of what comes next, of which one item is seen at a time."),
        Output("items", "ranking", LISTED, label=Next("sequence.items", "visits.events", "item")),
        Output("weight", "probability", LISTED, untold=_OF_ITEMS),
        Output("beside", "ranking", LISTED, untold=_OF_ITEMS),
        Output("cart", "ranking", WITH_CART, untold=_OF_CART),
        Output("cart_weight", "probability", WITH_CART, untold=_OF_CART),
        Output("cart_of", "ranking", WITH_CART, untold=_OF_CART),
    ),
    owner="personalization",
    # Of whom nothing is known but their last item or two, no version was tested.
    population=(AtLeast("items.known", 3),),
    latency_us_per_row=45.0,
    # A version names the items of its shop: that of another shop would name nothing.
    shipped=False,
)

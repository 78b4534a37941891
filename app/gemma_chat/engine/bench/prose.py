"""Text of any length for measurements, out of real sentences and the model's own tokenizer.

Random tokens would be a poor load: replies to them end at once, and nothing in them is ever quoted.
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random

SENTENCES = (
    "The ferry left the harbour before sunrise, and only the gulls saw it go.",
    "My grandmother kept her recipes in a tin box that had once held tea from Ceylon.",
    "A good map shows what is there; a better one also shows what was left out.",
    "In the spring of that year the river rose so high that the mill stood in the water.",
    "He repaired clocks for a living and was late for nearly everything else.",
    "The librarian said that the most borrowed book in town was a manual for beekeepers.",
    "Nobody could remember who had planted the chestnut tree in front of the station.",
    "When the power failed, the whole street came out to look at the stars.",
    "She counted the steps of the tower twice and came to a different number each time.",
    "The recipe asks for two eggs, a cup of flour and more patience than most people have.",
    "After the storm the fishermen found a piano on the beach, and it was nearly in tune.",
    "The train to the mountains runs three times a day, and once on Sundays.",
    "A letter that had been posted in 1953 arrived on a Tuesday, to everybody's surprise.",
    "The engineers measured the bridge again after they had painted it green.",
    "Our neighbour feeds a fox that comes to the back door as soon as it is dark.",
    "It takes about forty litres of sap to make a single litre of maple syrup.",
    "The museum lends its smallest painting to schools, packed in a wooden case.",
    "Children in the village learn to row before they learn to ride a bicycle.",
    "The baker opens at four in the morning because the night shift ends at five.",
    "Some of the oldest doors in the city are so low that even short visitors bow.",
    "The choir practised in the old pumping station, where every note came back twice.",
    "Rain had washed the ink from the sign, and now the path led nowhere at all.",
    "A surveyor explained that the border follows a brook which dried up long ago.",
    "They grew potatoes on the roof and sold them in the hall on the ground floor.",
    "The lighthouse keeper wrote down the weather every hour for thirty-one years.",
    "Glass is made of sand, ash and lime, and of a heat that is hard to imagine.",
    "The doctor cycled from farm to farm and was paid in apples more often than in coins.",
    "Every winter the lake freezes from the north shore, except where the springs are.",
    "The committee agreed on the colour of the benches after a discussion of two hours.",
    "Her first telescope was built from a drain pipe and the lens of a broken projector.",
    "Salt was once so precious that the road along which it came still bears its name.",
    "The dog knew the timetable of the buses better than most of the passengers did.",
    "An old orchard needs little care, but it does not forgive a saw in the wrong month.",
    "The printer found a mistake on the last page when the other pages were already bound.",
    "On clear days one can see the islands, and on very clear days the coast behind them.",
    "The cellar smelled of cider, wet stone and a little of the paraffin for the lamps.",
)


def passage(count: Callable[[str], int], tokens: int, number: int) -> str:
    """A text of `tokens` tokens or very few less.

    Args:
        count: the number of tokens of a text.
        tokens: how long it is to be, at least 8.
        number: passages of different numbers differ from their first words on.
    """
    words = f"Page {number}.".split()
    order = Random(number)
    while len(words) < tokens:
        words += " ".join(order.sample(SENTENCES, len(SENTENCES))).split()
    # A word is one token at least, so the text is long enough; now the greatest part that fits.
    least, most = 1, tokens
    while least < most:
        middle = (least + most + 1) // 2
        if count(" ".join(words[:middle])) <= tokens:
            least = middle
        else:
            most = middle - 1
    return " ".join(words[:least])

"""Arithmetic word problems with worked answers: a pure function of (split, count).

A problem is a frame (the sentences) filled with values: people, things and numbers. The held-out split shares the
frames but no value: no person, no thing and no number that stands in a held-out question stands in any training
question. So a model that does well on it has learned to do such problems, not to repeat these.
(Intermediate results and answers are computed, not drawn, and may coincide.)

Numbers come from random.Random.random() alone, the one method whose sequence Python promises to keep.
"""

import random

PEOPLE = {
    "train": "Ada Amir Anna Ben Bruno Carla Chen Clara Dario Dora Eli Elena Emil Fatima Felix Gina Goran Hana Hugo Ida "
             "Ivan Jana Jonas Julia Karim Kira Lars Leila Luca Lucia Marek Maria Mei Milan Mira Nadia Nils Nora Olga "
             "Omar Paolo Petra Rafael Rosa Samir Sara Sofia Stefan Tara Tom Vera Viktor Wanda Yara Yusuf Zoe".split(),
    "held": "Agnes Boris Cora Diego Edith Farid Greta Hector Ines Jakob Lotte Magnus Noemi Oskar Pia Ravi".split(),
}
THINGS = {
    "train": "apples badges balls beads biscuits books bottles bricks buttons candles cards chairs coins cups eggs "
             "envelopes flowers forks glasses hats jars keys lamps lemons magnets maps marbles mugs nails oranges "
             "pencils pens pillows plates postcards potatoes ribbons ropes scarves seeds shells spoons stamps "
             "stickers stones tickets tiles tomatoes towels toys".split(),
    "held": "acorns brushes cherries dice feathers gloves kites melons needles paintings radishes torches".split(),
}


def number_is_held(number):
    return number % 7 == 3


NUMBERS = {"train": [n for n in range(2, 100) if not number_is_held(n)],
           "held": [n for n in range(2, 100) if number_is_held(n)]}
SMALL_MAX = 12
SEEDS = {"train": 1, "held": 2}


class Draw:
    """Where the values of one split come from. Pools of different splits are disjoint."""

    def __init__(self, split):
        self._random = random.Random(SEEDS[split])
        self._people, self._things, self._numbers = PEOPLE[split], THINGS[split], NUMBERS[split]

    def one_of(self, pool):
        return pool[int(self._random.random() * len(pool))]

    def person(self):
        return self.one_of(self._people)

    def two_people(self):
        first = self.person()
        return first, self.one_of([name for name in self._people if name != first])

    def thing(self):
        return self.one_of(self._things)

    def two_things(self):
        first = self.thing()
        return first, self.one_of([name for name in self._things if name != first])

    def number(self):
        return self.one_of(self._numbers)

    def small(self):
        return self.one_of([n for n in self._numbers if n <= SMALL_MAX])

    def more_and_less(self):
        """Two numbers, the first larger."""
        less = self.one_of(self._numbers[:-1])
        return self.one_of([n for n in self._numbers if n > less]), less

    def total_and_parts(self):
        """A number and a divisor of it that leaves at least two in each part."""
        pairs = [(n, d) for n in self._numbers for d in self._numbers if n % d == 0 and n // d >= 2]
        return self.one_of(pairs)


# Each frame returns the question and the lines of its worked answer; the last number of the last line is the answer.


def both_have(draw):
    (a, b), thing, m, n = draw.two_people(), draw.thing(), draw.number(), draw.number()
    return (f"{a} has {m} {thing} and {b} has {n} {thing}. How many {thing} do they have together?",
            [f"Together they have {m} + {n} = {m + n} {thing}."])


def gives_away(draw):
    (a, b), thing, (m, n) = draw.two_people(), draw.thing(), draw.more_and_less()
    return (f"{a} had {m} {thing} and gave {n} of them to {b}. How many {thing} does {a} have left?",
            [f"{a} has {m} - {n} = {m - n} {thing} left."])


def finds_after_losing(draw):
    a, thing, (m, n), k = draw.person(), draw.thing(), draw.more_and_less(), draw.number()
    left = m - n
    return (f"{a} started the week with {m} {thing}, lost {n} of them, and then found {k} more. "
            f"How many {thing} does {a} have now?",
            [f"After losing some, {a} had {m} - {n} = {left} {thing}.",
             f"After finding more, {a} has {left} + {k} = {left + k} {thing}."])


def boxes(draw):
    a, thing, k, n = draw.person(), draw.thing(), draw.small(), draw.number()
    return (f"{a} packs {thing} into {k} boxes with {n} {thing} in each box. How many {thing} does {a} pack?",
            [f"{a} packs {k} * {n} = {k * n} {thing}."])


def boxes_and_loose(draw):
    a, thing, k, n, m = draw.person(), draw.thing(), draw.small(), draw.number(), draw.number()
    return (f"A shop has {k} crates of {n} {thing} each and {m} {thing} on the shelf. {a} counts all of them. "
            f"How many {thing} are there?",
            [f"The crates hold {k} * {n} = {k * n} {thing}.",
             f"With those on the shelf there are {k * n} + {m} = {k * n + m} {thing}."])


def shares_equally(draw):
    a, thing, (total, parts) = draw.person(), draw.thing(), draw.total_and_parts()
    return (f"{a} shares {total} {thing} equally among {parts} friends. How many {thing} does each friend get?",
            [f"Each friend gets {total} / {parts} = {total // parts} {thing}."])


def shares_and_keeps(draw):
    (a, b), thing, (total, parts), n = draw.two_people(), draw.thing(), draw.total_and_parts(), draw.number()
    each = total // parts
    return (f"{total} {thing} are split equally into {parts} bags. {a} takes one bag and adds it to the {n} {thing} "
            f"that {b} brought. How many {thing} do they have?",
            [f"One bag holds {total} / {parts} = {each} {thing}.",
             f"They have {each} + {n} = {each + n} {thing}."])


def times_as_many(draw):
    (a, b), thing, k, n = draw.two_people(), draw.thing(), draw.small(), draw.number()
    return (f"{a} has {n} {thing}. {b} has {k} times as many. How many {thing} do they have in all?",
            [f"{b} has {k} * {n} = {k * n} {thing}.",
             f"In all they have {n} + {k * n} = {n + k * n} {thing}."])


def cost(draw):
    a, thing, k, price = draw.person(), draw.thing(), draw.small(), draw.number()
    return (f"{a} buys {k} {thing} at {price} dollars each. How many dollars does {a} pay?",
            [f"{a} pays {k} * {price} = {k * price} dollars."])


def cost_of_two(draw):
    a, (first, second), k, p, j, q = (draw.person(), draw.two_things(), draw.small(), draw.number(), draw.small(),
                                      draw.number())
    return (f"{a} buys {k} {first} for {p} dollars each and {j} {second} for {q} dollars each. "
            f"What is the total in dollars?",
            [f"The {first} cost {k} * {p} = {k * p} dollars.",
             f"The {second} cost {j} * {q} = {j * q} dollars.",
             f"The total is {k * p} + {j * q} = {k * p + j * q} dollars."])


def how_many_more(draw):
    (a, b), thing, (m, n) = draw.two_people(), draw.thing(), draw.more_and_less()
    return (f"{a} collected {m} {thing}. {b} collected {n} {thing}. How many more {thing} did {a} collect than {b}?",
            [f"{a} collected {m} - {n} = {m - n} more {thing}."])


def per_day(draw):
    a, thing, days, (n, sold) = draw.person(), draw.thing(), draw.small(), draw.more_and_less()
    made = days * n
    return (f"{a} makes {n} {thing} a day for {days} days and sells {sold} of them. How many {thing} are left?",
            [f"{a} makes {days} * {n} = {made} {thing}.", f"Then {made} - {sold} = {made - sold} {thing} are left."])


def three_days(draw):
    a, thing, m, n, k = draw.person(), draw.thing(), draw.number(), draw.number(), draw.number()
    return (f"{a} sold {m} {thing} on Monday, {n} on Tuesday and {k} on Wednesday. "
            f"How many {thing} did {a} sell in the three days?",
            [f"On Monday and Tuesday {a} sold {m} + {n} = {m + n} {thing}.",
             f"In the three days {a} sold {m + n} + {k} = {m + n + k} {thing}."])


def fewer_then_together(draw):
    (a, b), thing, (m, n) = draw.two_people(), draw.thing(), draw.more_and_less()
    return (f"{a} picked {m} {thing}. {b} picked {n} fewer. How many {thing} did they pick together?",
            [f"{b} picked {m} - {n} = {m - n} {thing}.",
             f"Together they picked {m} + {m - n} = {m + m - n} {thing}."])


FRAMES = [both_have, gives_away, finds_after_losing, boxes, boxes_and_loose, shares_equally, shares_and_keeps,
          times_as_many, cost, cost_of_two, how_many_more, per_day, three_days, fewer_then_together]


def problems(split, count):
    """-> `count` rows {prompt, completion} with distinct prompts; split is "train" or "held"."""
    draw = Draw(split)
    rows = {}
    for _ in range(20 * count):  # repeats are rare; the bound only keeps an impossible count from looping for ever
        prompt, lines = draw.one_of(FRAMES)(draw)
        answer = lines[-1].split(" = ")[1].split()[0]
        rows.setdefault(prompt, "\n".join([*lines, f"#### {answer}"]))
        if len(rows) == count:
            return [{"prompt": prompt, "completion": completion} for prompt, completion in rows.items()]
    raise ValueError(f"the pools of split {split!r} do not hold {count} distinct problems")

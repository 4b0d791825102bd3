"""A small seeded English: four topics, a cast of named people, numbers, agreement, nested clauses.

What a language model can learn from it, from easy to hard: spelling and word order, agreement of a verb with a subject that a clause
separates from it, which words belong to a document's topic, and which trade, town and possession belong to a name given sentences ago.
"""
import random
from dataclasses import dataclass, field

TOPICS = ("harbour", "kitchen", "orchard", "observatory")

PEOPLE = {
    "harbour": "sailor captain pilot fisher ferryman boatswain docker diver".split(),
    "kitchen": "cook baker butcher waiter brewer confectioner dishwasher taster".split(),
    "orchard": "gardener farmer beekeeper picker forester shepherd miller grafter".split(),
    "observatory": "astronomer physicist lensmaker professor student surveyor mathematician watcher".split(),
}
THINGS = {
    "harbour": "rope anchor net boat sail lantern barrel oar mast crate buoy compass".split(),
    "kitchen": "pot kettle spoon loaf pie oven knife plate cake soup pan jar".split(),
    "orchard": "apple pear ladder basket hive branch seed blossom fence cherry plum root".split(),
    "observatory": "telescope comet star lens mirror planet chart eclipse nebula meteor galaxy orbit".split(),
}
DEEDS = {
    "harbour": "haul moor load row hoist unload steer".split(),
    "kitchen": "boil slice stir serve bake taste season".split(),
    "orchard": "prune water pick plant harvest graft gather".split(),
    "observatory": "observe measure photograph predict calculate sketch discover".split(),
}
QUALITIES = {
    "harbour": "salty wet tarred rusty seaworthy".split(),
    "kitchen": "hot sweet burnt crisp spicy".split(),
    "orchard": "ripe green leafy muddy blooming".split(),
    "observatory": "bright distant dark faint polished".split(),
}
PLACES = {
    "harbour": ("at the quay", "behind the lighthouse", "on the pier", "below the deck"),
    "kitchen": ("beside the stove", "in the pantry", "on the long table", "near the sink"),
    "orchard": ("under the trees", "along the hedge", "in the meadow", "by the old barn"),
    "observatory": ("under the dome", "on the tower", "in the reading room", "above the horizon"),
}
SHARED_PEOPLE = "neighbour child stranger friend visitor widow".split()
SHARED_THINGS = "box letter tool coin book table key bag".split()
SHARED_DEEDS = "carry find lose show hide bring want forget remember need".split()
MEETINGS = "see follow praise help know teach trust call greet watch".split()
SHARED_QUALITIES = "old new small heavy good strange broken beautiful little famous".split()
TIMES = ("every morning", "before noon", "after the storm", "in winter", "on Sundays", "at night", "once again", "without a word")
LINKS = ("Later", "Meanwhile", "However", "In the end", "For this reason", "On the next day")
TOWNS = "Tessin Oldbridge Marrow Velden Kestrel Lübow Harrowgate Saint-Ives Påskö Quillon Ferrand Northwick".split()
NUMBERS = "zero one two three four five six seven eight nine ten eleven twelve".split()
ONSETS = "b d f g h j k l m n p r s t v br dr gr kl st tr th sh".split()
MIDDLES = "an ar el en er il in ir on or ul am em ol év ür".split()
ENDINGS = {"she": ("a", "ia", "ette", "ine", "ë"), "he": ("o", "us", "ek", "ard", "win")}


def plural(noun):
    """Plural of a regular noun, or of one that ends in -man."""
    if noun.endswith("man"):
        return noun[:-3] + "men"
    if noun in ("knife", "loaf"):
        return noun.replace("fe", "ves") if noun == "knife" else "loaves"
    if noun == "child":
        return "children"
    return third_person(noun)


def third_person(verb):
    """The form of a regular verb after he, she or it."""
    if verb.endswith("y") and verb[-2] not in "aeiou":
        return verb[:-1] + "ies"
    return verb + ("es" if verb.endswith(("s", "sh", "ch", "x")) else "s")


def conjugate(verb, is_plural):
    return verb if is_plural else third_person(verb)


def with_article(phrase):
    return ("an " if phrase[0] in "aeiou" else "a ") + phrase


def capitalised(sentence):
    return sentence[0].upper() + sentence[1:]


@dataclass
class Person:
    """Somebody in a document; everything said of a name there stays true to the end of the document."""

    name: str
    pronoun: str
    trade: str
    town: str
    thing: str
    count: int


@dataclass
class Grammar:
    """Draws sentences and documents; equal seeds draw equal text."""

    seed: int
    rng: random.Random = field(init=False)

    def __post_init__(self):
        self.rng = random.Random(self.seed)

    def one_of(self, *groups):
        """One entry of one of the groups, each group being as likely as another."""
        return self.rng.choice(self.rng.choice(groups))

    def chance(self, probability):
        return self.rng.random() < probability

    def person(self, topic):
        pronoun = self.one_of(("she", "he"))
        name = self.one_of(ONSETS) + self.one_of(MIDDLES) + self.one_of(ENDINGS[pronoun])
        return Person(
            name=name.capitalize(),
            pronoun=pronoun,
            trade=self.one_of(PEOPLE[topic]),
            town=self.one_of(TOWNS),
            thing=self.one_of(THINGS[topic]),
            count=self.rng.randint(2, 99),
        )

    def described(self, noun, topic):
        return f"{self.one_of(QUALITIES[topic], SHARED_QUALITIES)} {noun}" if self.chance(0.4) else noun

    def relative_clause(self, topic, head_is_plural, depth):
        """A clause on a person; in its first form the head is the subject, and its verb agrees with the head."""
        verb = self.one_of(MEETINGS)
        inner, inner_is_plural = self.people(topic, depth + 1)
        if self.chance(0.5):
            return f"who {conjugate(verb, head_is_plural)} {inner}"
        return f"whom {inner} {conjugate(verb, inner_is_plural)}"

    def people(self, topic, depth=0, clause_topic=None):
        """A noun phrase of persons and whether it is plural; clauses nest at most twice and may speak of another topic."""
        is_plural = self.chance(0.4)
        noun = self.one_of(SHARED_PEOPLE) if self.chance(0.12) else self.one_of(PEOPLE[topic])
        phrase = "the " + self.described(plural(noun) if is_plural else noun, topic)
        if self.chance((0.45, 0.2, 0.0)[depth]):
            phrase += " " + self.relative_clause(clause_topic or topic, is_plural, depth)
        return phrase, is_plural

    def things(self, topic):
        noun = self.one_of(THINGS[topic], THINGS[topic], SHARED_THINGS)
        kind = self.rng.randrange(3)
        if kind == 0:
            return f"{self.one_of(NUMBERS[2:])} {self.described(plural(noun), topic)}"
        if kind == 1:
            return with_article(self.described(noun, topic))
        return "the " + self.described(plural(noun) if self.chance(0.5) else noun, topic)

    def circumstance(self, topic):
        return " " + self.one_of(PLACES[topic], TIMES) if self.chance(0.5) else ""

    def action(self, topic):
        """A sentence whose verb agrees with a subject that may lie a clause away."""
        subject, is_plural = self.people(topic)
        verb = conjugate(self.one_of(DEEDS[topic], DEEDS[topic], SHARED_DEEDS), is_plural)
        return f"{subject} {verb} {self.things(topic)}{self.circumstance(topic)}."

    def introduction(self, who):
        return f"{who.name}, {with_article(who.trade)} from {who.town}, owns {who.count} {plural(who.thing)}."

    def reminder(self, who):
        """A sentence that only someone who remembers the introduction can complete."""
        return self.one_of((
            f"{who.name} from {who.town} still owns {who.count} {plural(who.thing)}.",
            f"nobody in {who.town} doubts that {who.name} is {with_article(who.trade)}.",
            f"{with_article(who.trade)} like {who.name} never sells {who.count} {plural(who.thing)}.",
        ))

    def deed(self, who, topic):
        verb = third_person(self.one_of(DEEDS[topic], SHARED_DEEDS))
        return f"{who.name} {verb} {self.things(topic)}, and {who.pronoun} {third_person(self.one_of(MEETINGS))} {self.people(topic)[0]}."

    def speech(self, who, topic):
        noun = self.one_of(THINGS[topic])
        copula, noun = ("are", plural(noun)) if self.chance(0.5) else ("is", noun)
        said = self.one_of(("said", "cried", "whispered"))
        return f'"the {noun} {copula} {self.one_of(QUALITIES[topic])}, but it isn\'t our fault," {who.pronoun} {said}.'

    def sum(self, topic):
        noun = plural(self.one_of(THINGS[topic]))
        left, right = self.rng.randint(1, 6), self.rng.randint(1, 6)
        left, right, both = NUMBERS[left], NUMBERS[right], NUMBERS[left + right]
        return f"{left} and {right} {noun} make {both} {noun}."

    def sentence(self, topic, cast):
        who = self.rng.choice(cast)
        draw = self.rng.random()
        if draw < 0.35:
            return self.action(topic)
        if draw < 0.55:
            return self.deed(who, topic)
        if draw < 0.75:
            return self.reminder(who)
        if draw < 0.9:
            return self.speech(who, topic)
        return self.sum(topic)

    def document(self):
        """One line of text: two people are introduced, then six to ten sentences on one topic."""
        topic = self.one_of(TOPICS)
        cast = [self.person(topic), self.person(topic)]
        sentences = [self.introduction(who) for who in cast]
        for _ in range(self.rng.randint(6, 10)):
            sentence = self.sentence(topic, cast)
            if self.chance(0.15):
                sentence = f"{self.one_of(LINKS)}, {sentence}"
            sentences.append(sentence)
        return " ".join(capitalised(s.replace('"the', '"The')) for s in sentences)

    def labelled_sentence(self):
        """A sentence and the topic of its main clause.

        A relative clause often speaks of another topic, and now and then nothing in the main clause tells the topic.
        """
        topic, other = self.rng.sample(TOPICS, 2)
        subject, is_plural = self.people(topic, clause_topic=other if self.chance(0.6) else topic)
        verb = conjugate(self.one_of(SHARED_DEEDS), is_plural)
        thing = self.things(topic) if self.chance(0.4) else with_article(self.one_of(SHARED_QUALITIES) + " " + self.one_of(SHARED_THINGS))
        ending = self.circumstance(topic) if self.chance(0.3) else " " + self.one_of(TIMES)
        return capitalised(f"{subject} {verb} {thing}{ending}."), topic

    def labelled_text(self):
        """Text, second text (or None) and label; the label is the first text's topic, so the segments must be told apart."""
        text, topic = self.labelled_sentence()
        second = self.labelled_sentence()[0] if self.chance(0.3) else None
        return {"text": text, "text_pair": second, "label": TOPICS.index(topic)}

"""Made-up names for made-up people: 60 first names from many places, times 40 invented surnames."""

# One string each: a hundred quoted strings would be no easier to read
FIRST: tuple[str, ...] = tuple(
    "Robin Amal Yuki Kiran Sasha Imani Noa Jin Andrea Deniz Rowan Mika Farai Ariel Hikaru Jaya Quinn Tal Umut "  # noqa: SIM905
    "Vanja "
    "Wei Luca Nima Asa Bao Casey Eden Gabi Indra Jules Kai Lior Max Noor Ola Ren Sam Toni Xian Zion Akira Blake Dana "
    "Elis Evren Ihsan Ira Jo Kim Kit Lou Min Nikita Rin Shan Sky Tai Yan Zhen Charlie".split()
)  # names that women and men bear: a name must not give away what the dice chose to draw
LAST: tuple[str, ...] = tuple(
    "Lind Okoro Vale Sarin Mori Castell Brandt Quill Haddan Ostrov Tamm Rios Kestrel Adeyo Nakai Ferro Wren "  # noqa: SIM905
    "Solano "
    "Dahl Iyer Marlow Petrin Zhou Abara Lunde Corvin Sato Belmar Thorne Ekwe Rask Valdi Navin Hollis Tarn Kimura "
    "Osei Verano Blom Arden".split()
)


def person_name(index: int) -> str:
    """Return the name of person ``index``: the same for ever, different for each person.

    The first 2,400 are a first name and a surname, paired by a stride that keeps neighbours apart; later ones
    carry a number too.
    """
    round_, place = divmod(index, len(FIRST) * len(LAST))
    first = FIRST[place % len(FIRST)]
    # 40 and 60 share factors: shift the surname by one each time the first names are used up
    last = LAST[(place * 7 + place // len(FIRST)) % len(LAST)]
    return f"{first} {last}" if round_ == 0 else f"{first} {last} {round_ + 1}"

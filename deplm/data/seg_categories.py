"""The sixteen categories and fifty parts of ShapeNet-part, with the benchmark's label numbers.

Yi et al. 2016, "A scalable active framework for region annotation in 3D shape collections". The
benchmark's files carry numbers only; the names are those of the annotation's folders.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Category:
    """One category of shapes.

    Attributes:
        name: as in `synsetoffset2category.txt`.
        synset: its folder.
        first: label of its first part; the others follow.
        parts: their names.
    """

    name: str
    synset: str
    first: int
    parts: tuple[str, ...]

    @property
    def labels(self) -> range:
        """Labels of its parts."""
        return range(self.first, self.first + len(self.parts))


CATEGORIES = (
    Category("Airplane", "02691156", 0, ("body", "wing", "tail", "engine")),
    Category("Bag", "02773838", 4, ("handle", "body")),
    Category("Cap", "02954340", 6, ("panels", "peak")),
    Category("Car", "02958343", 8, ("roof", "hood", "wheel", "body")),
    Category("Chair", "03001627", 12, ("back", "seat", "leg", "arm")),
    Category("Earphone", "03261776", 16, ("earphone", "headband", "data wire")),
    Category("Guitar", "03467517", 19, ("head", "neck", "body")),
    Category("Knife", "03624134", 22, ("blade", "handle")),
    Category("Lamp", "03636649", 24, ("base", "shade", "canopy", "tube")),
    Category("Laptop", "03642806", 28, ("keyboard", "screen")),
    Category(
        "Motorbike", "03790512", 30, ("gas tank", "seat", "wheel", "handle", "light", "frame")
    ),
    Category("Mug", "03797390", 36, ("handle", "cup")),
    Category("Pistol", "03948459", 38, ("barrel", "handle", "trigger")),
    Category("Rocket", "04099429", 41, ("body", "fin", "nose")),
    Category("Skateboard", "04225987", 44, ("wheel", "deck", "belt")),
    Category("Table", "04379243", 47, ("top", "leg", "drawer")),
)
PARTS = sum(len(category.parts) for category in CATEGORIES)  # 50

"""Which function builds which category of the stand-in of ShapeNet-part."""

from collections.abc import Callable

from deplm.data.stand_ins import seg_objects as part_objects
from deplm.data.stand_ins import seg_vehicles as part_vehicles
from deplm.data.stand_ins.seg_surfaces import Parts, Rng

BUILDERS: dict[str, Callable[[Rng], Parts]] = {
    "Airplane": part_vehicles.airplane,
    "Bag": part_objects.bag,
    "Cap": part_objects.cap,
    "Car": part_vehicles.car,
    "Chair": part_objects.chair,
    "Earphone": part_objects.earphone,
    "Guitar": part_objects.guitar,
    "Knife": part_objects.knife,
    "Lamp": part_objects.lamp,
    "Laptop": part_objects.laptop,
    "Motorbike": part_vehicles.motorbike,
    "Mug": part_objects.mug,
    "Pistol": part_objects.pistol,
    "Rocket": part_vehicles.rocket,
    "Skateboard": part_vehicles.skateboard,
    "Table": part_objects.table,
}

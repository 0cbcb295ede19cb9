"""torchvision's data sets, also beside a CPU-only torch."""

from types import ModuleType

from torch import library


def torchvision_datasets() -> ModuleType:
    """Import `torchvision.datasets`.

    The ordinary torchvision wheel does not import beside a CPU-only torch: it registers `nms`
    and `qnms` for a native library that cannot be loaded. Declaring them first helps.
    """
    try:
        import torchvision.datasets as datasets
    except RuntimeError:
        operators = library.Library("torchvision", "DEF")
        for name in ("nms", "qnms"):
            operators.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
        _kept.append(operators)  # an operator lives as long as its library
        import torchvision.datasets as datasets
    return datasets


_kept: list[library.Library] = []

"""What the estimators of both papers share: checked classes, and a fitted model as one file."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted

from harness.errors import UserError
from harness.readouts.discriminative import DiscriminativeRidge
from harness.readouts.logistic import LogisticReadout
from harness.readouts.model_file import Arrays, plain, read_model, unplain, write_model
from harness.readouts.ridge import Readout, RidgeReadout
from rram import Chip, ReadConfig
from rram.saved import chip_of_parts, chip_parts

READOUTS = {kind.__name__: kind for kind in (RidgeReadout, DiscriminativeRidge, LogisticReadout)}
COEFFICIENTS = ("coef_", "intercept_")


def check_classes(y: np.ndarray, readout: ClassifierMixin) -> np.ndarray:
    """The classes among labels, ascending.

    Args:
        y: (n,) labels.
        readout: that they are for.

    Raises:
        UserError: one class only, or a class with a single sample where the readout holds
            samples out.
    """
    check_classification_targets(y)
    classes, counts = np.unique(y, return_counts=True)
    if len(classes) < 2:
        raise UserError(f"all {len(y)} samples are of one class, {classes[0]}: two are needed")
    if isinstance(readout, Readout) and readout.chooses and counts.min() < 2:
        rare = classes[counts < 2]
        raise UserError(
            f"class {rare[0]} has 1 sample: expected 2 or more of each class, one to fit and one "
            "to choose on; or give RidgeReadout(penalties=(p,)), which chooses nothing"
        )
    return classes


class SavedEstimator(BaseEstimator):
    """Base of estimators that are kept in one file: chip and constants, sizes, norms, readouts.

    The random weights are not in the file, but the chip's seed and constants, or its measured
    map: they are drawn again.

    Attributes:
        kinds: dataclasses that its arguments and learned values may be.
        learned: names of its learned values that a file keeps.
    """

    kinds: ClassVar[tuple[type, ...]] = ()
    learned: ClassVar[tuple[str, ...]] = ()
    chip: Chip | int

    def save(self, path: str | Path, **about: Any) -> Path:  # noqa: ANN401
        """Keep the fitted model in one safetensors file.

        Args:
            path: of the file.
            about: plain values for people, and for `rrm evaluate`.

        Raises:
            UserError: a readout that is none of this package's, or the file cannot be written.
        """
        check_is_fitted(self)
        path, arrays = Path(path), dict(self._learned_arrays())
        params = self.get_params(deep=False)
        header: dict[str, Any] = {"estimator": type(self).__name__, "about": plain(about)}
        if isinstance(self.chip, Chip):
            header["chip"], maps = chip_parts(self.chip)
            arrays |= {f"chip/{name}": cells for name, cells in maps.items()}
            header["chip"] = plain(header["chip"])
            del params["chip"]
        params.pop("readout", None)
        header["params"] = plain(params)
        header["learned"] = plain({name: vars(self)[name] for name in self.learned})
        header["readouts"] = {}
        for name, readout in self._fitted_readouts().items():
            kind = type(readout).__name__
            if kind not in READOUTS:
                raise UserError(f"readout {kind} cannot be saved: {', '.join(READOUTS)} can")
            # The order of memory decides how a product is summed up: scores stay equal to the bit.
            order = "F" if readout.coef_.flags.f_contiguous else "C"
            state = {**readout.get_params(), "classes_": readout.classes_, "order": order}
            header["readouts"][name] = {"readout": kind, **plain(state)}
            arrays |= {f"{name}/{part}": vars(readout)[part] for part in COEFFICIENTS}
        write_model(path, header, arrays)
        return path

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """The fitted model of a file that `save` wrote.

        Raises:
            UserError: a file that is no such, see `harness.readouts.model_file.read_model`, or of
                another estimator.
        """
        header, arrays = read_model(Path(path))
        return cls.from_file(path, header, arrays)

    @classmethod
    def from_file(cls, path: str | Path, header: dict[str, Any], arrays: Arrays) -> Self:
        """As `load`, of a file that was read already."""
        if header.get("estimator") != cls.__name__:
            raise UserError(f"{path}: a {header.get('estimator')}, expected a {cls.__name__}")
        try:
            return cls._of_parts(header, arrays)
        except (KeyError, TypeError, AttributeError) as error:
            raise UserError(
                f"{path}: its header does not fit a {cls.__name__} ({error})"
            ) from error

    @classmethod
    def _of_parts(cls, header: dict[str, Any], arrays: Arrays) -> Self:
        kinds = {kind.__name__: kind for kind in (*cls.kinds, ReadConfig)}
        params = unplain(header["params"], kinds)
        if "chip" in header:
            maps = {name.removeprefix("chip/"): a for name, a in arrays.items() if "chip/" in name}
            params["chip"] = chip_of_parts(unplain(header["chip"], kinds), maps)
        model = cls(**params)
        learned = unplain(header["learned"], kinds)
        for name in cls.learned:
            setattr(model, name, learned[name])
        readouts = {}
        for name, state in header["readouts"].items():
            state = unplain(state, kinds)
            kind, classes, order = (state.pop(key) for key in ("readout", "classes_", "order"))
            readouts[name] = readout = READOUTS[kind](**state)
            readout.classes_ = classes
            readout.coef_ = np.asarray(arrays[f"{name}/coef_"], order=order)
            readout.intercept_ = arrays[f"{name}/intercept_"]
            readout.n_features_in_ = len(readout.coef_)
        model._restore(readouts, arrays)
        return model

    def _fitted_readouts(self) -> dict[str, Readout]:
        """The readouts of a fitted model by name."""
        raise NotImplementedError

    def _learned_arrays(self) -> Arrays:
        """Learned arrays but those of the readouts."""
        return {}

    def _restore(self, readouts: dict[str, Readout], arrays: Arrays) -> None:
        """Take up what a file keeps, `learned` being there already."""
        raise NotImplementedError


class ReadoutClassifier(ClassifierMixin, SavedEstimator):
    """Base of classifiers that are features, from `transform`, and one readout of them.

    Attributes:
        transform: samples -> features (n, D); of the class beside this one.
        readout_: the fitted readout.
    """

    transform: Callable[..., np.ndarray]
    readout_: Readout

    def decision_function(self, X: Any) -> np.ndarray:  # noqa: ANN401
        """Scores (n, classes), or (n,) of the second of two classes; X as of `fit`."""
        features = self.transform(X)
        return self.readout_.decision_function(features)

    def predict(self, X: Any) -> np.ndarray:  # noqa: ANN401
        """Labels (n,); X as of `fit`."""
        features = self.transform(X)
        return self.readout_.predict(features)

    def _fitted_readouts(self) -> dict[str, Readout]:
        return {"readout": self.readout_}

    def _restore(self, readouts: dict[str, Readout], arrays: Arrays) -> None:
        super()._restore(readouts, arrays)
        self.readout_ = readouts["readout"]

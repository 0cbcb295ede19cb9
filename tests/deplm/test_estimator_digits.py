"""`DEPLMClassifier` gives the digits of the table's rows on the table's data."""

import numpy as np
import pytest

from deplm import DEPLMClassifier, ReadConfig
from deplm.tables import image
from harness.data.datasets import data_root
from harness.readouts.discriminative import DiscriminativeRidge
from harness.run.config import smoke_config
from harness.run.protocol import Run


@pytest.mark.parametrize(
    ("row", "read"),
    [
        (image.discriminative_ridge, None),
        pytest.param(
            image.chip_effects, ReadConfig(0.02, input_bits=6), marks=pytest.mark.slow, id="effects"
        ),
    ],
)
def test_the_digits_of_the_table_on_its_tiny_data(row, read, tmp_path):
    run = Run(smoke_config(image.ImageConfig), [0], "cpu", tmp_path, tmp_path, smoke=True)
    run.data = data = image.load(run)
    values = row(run, 0).values
    readout, count = DiscriminativeRidge(steps=32), run.config.calibration_clouds
    model = DEPLMClassifier(read=read, readout=readout, calibration_clouds=count)
    model.fit(data.train.images, data.train.labels)
    features, labels = model.transform(data.test.images), data.test.labels
    for fitted, name in (
        (model.readout_, "accuracy"),
        (model.readout_.ridge_, "accuracy, plain ridge"),
    ):
        assert 100 * np.mean(fitted.predict(features) == labels) == pytest.approx(values[name])


@pytest.mark.slow
def test_the_digits_of_the_table_on_fashion_mnist():
    data = image.fashion_mnist.load(data_root())
    model = DEPLMClassifier(readout=DiscriminativeRidge(steps=32))
    model.fit(data.train.images, data.train.labels)
    features, labels = model.transform(data.test.images), data.test.labels
    assert np.mean(model.readout_.predict(features) == labels) == pytest.approx(0.8282)
    assert np.mean(model.readout_.ridge_.predict(features) == labels) == pytest.approx(0.8144)

"""The point encoder and the readouts as ONNX models give the same scores in onnxruntime."""

import numpy as np
import pytest

from deplm import DEPLMClassifier, PointNetwork, ReadConfig, SetAbstraction
from deplm.encoder import FrozenEncoder
from deplm.interchange import encoder_to_onnx, sampling_inputs
from deplm.plus import ImagePlusNetwork, Window
from deplm.points import image_points
from harness.readouts.discriminative import DiscriminativeRidge
from harness.readouts.interchange import readout_to_onnx
from harness.readouts.logistic import LogisticReadout
from harness.readouts.ridge import RidgeReadout
from rram import Chip, UserError

pytest.importorskip("onnx", reason="needs the extra [interchange]")
onnxruntime = pytest.importorskip("onnxruntime", reason="needs the extra [interchange]")
ONE = RidgeReadout(penalties=(1e-3,))
SMALL = PointNetwork(
    0, (SetAbstraction(6, 20, 8, 0.3), SetAbstraction(9, 6, 4, 0.5), SetAbstraction(30))
)


def session(model):
    return onnxruntime.InferenceSession(
        model.SerializeToString(), providers=["CPUExecutionProvider"]
    )


def clouds(count=40):
    rng = np.random.default_rng(0)
    X, y = rng.normal(0, 0.3, (count, 40, 3)).astype(np.float32), np.arange(count) % 3
    X[y == 1, :, 2] = 0
    X[y == 2, :, 1] = 0
    return X, np.array(["ball", "disc", "sheet"])[y]


@pytest.mark.parametrize(
    "readout", [ONE, DiscriminativeRidge(steps=2), LogisticReadout(penalties=(1e-2,))]
)
def test_clouds_get_the_same_scores(readout):
    X, y = clouds()
    model = DEPLMClassifier(SMALL, readout=readout).fit(X, y)
    found = session(encoder_to_onnx(model.encoder_, model.readout_))
    encoded, scores, label = found.run(None, sampling_inputs(SMALL, X))
    np.testing.assert_allclose(encoded, model.transform(X), rtol=0, atol=1e-5)
    np.testing.assert_allclose(scores, model.decision_function(X), rtol=0, atol=1e-4)
    assert np.array_equal(model.classes_[label], model.predict(X))
    alone = session(readout_to_onnx(model.readout_)).run(None, {"features": model.transform(X)})
    np.testing.assert_allclose(alone[0], model.decision_function(X), rtol=0, atol=1e-5)
    assert np.array_equal(alone[1], label)


def test_images_get_the_same_scores_in_the_papers_network():
    rng = np.random.default_rng(0)
    images = rng.integers(0, 255, (12, 28, 28)) // (1 + np.arange(12) % 2)[:, None, None]
    model = DEPLMClassifier(readout=ONE, chip=2).fit(images, np.arange(12) % 2)
    points = image_points(images)
    inputs = sampling_inputs(model.network_, points, points)
    assert inputs["centres1"].shape == (12, 512) and inputs["neighbours2"].shape == (12, 128, 64)
    (scores,) = session(encoder_to_onnx(model.encoder_, model.readout_)).run(["scores"], inputs)
    theirs = scores[:, 1] - scores[:, 0]
    np.testing.assert_allclose(theirs, model.decision_function(images), rtol=0, atol=1e-4)
    (encoded,) = session(encoder_to_onnx(model.encoder_)).run(None, inputs)
    np.testing.assert_allclose(encoded, model.transform(images), rtol=0, atol=1e-5)


def test_what_onnx_does_not_have_is_refused():
    X, y = clouds()
    noisy = DEPLMClassifier(SMALL, read=ReadConfig(read_noise=0.1), readout=ONE).fit(X, y)
    with pytest.raises(UserError, match=r"read_noise=0.1.*: expected an exact read"):
        encoder_to_onnx(noisy.encoder_)
    plus = DEPLMClassifier(ImagePlusNetwork(((Window(4, 1),),), cells=(7,)), readout=ONE)
    images = np.random.default_rng(0).random((8, 28, 28))
    with pytest.raises(UserError, match="ImagePlusEncoder: expected a FrozenEncoder"):
        encoder_to_onnx(plus.fit(images, np.arange(8) % 2).encoder_)
    with pytest.raises(UserError, match="calibrate first"):
        encoder_to_onnx(FrozenEncoder(SMALL, Chip(seed=0)))
    with pytest.raises(UserError, match="19 points a cloud, this network needs 20"):
        sampling_inputs(SMALL, X[:, :19])

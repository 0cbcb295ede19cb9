"""Images of your own, classified by a frozen random network and a trained readout.

    python examples/own_images.py my_images.npz    # images (n, rows, columns), labels (n,)

Without a file, handwritten digits of scikit-learn.
"""

import sys

import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from deplm import DEPLMClassifier
from harness.readouts.discriminative import DiscriminativeRidge

if len(sys.argv) > 1:
    with np.load(sys.argv[1], allow_pickle=False) as file:
        images, labels = file["images"], file["labels"]
else:
    digits = load_digits()
    images = np.kron(digits.images[:500], np.ones((1, 3, 3)))  # 24 x 24 pixels
    labels = digits.target[:500]

X, X_test, y, y_test = train_test_split(images, labels, random_state=0, stratify=labels)
model = DEPLMClassifier(chip=0).fit(X, y)
print(f"ridge readout: {model.score(X_test, y_test):.1%} of {len(y_test)} test images")

model = DEPLMClassifier(chip=0, readout=DiscriminativeRidge()).fit(X, y)
print(f"discriminative ridge: {model.score(X_test, y_test):.1%} of {len(y_test)} test images")

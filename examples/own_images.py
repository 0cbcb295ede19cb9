"""Images of your own, classified by a frozen random network and a trained readout.

    python examples/own_images.py my_images.npz    # images (n, rows, columns), labels (n,)

Without a file, handwritten digits of scikit-learn.
"""

import sys

import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from deplm import DeplmClassifier

if len(sys.argv) > 1:
    with np.load(sys.argv[1], allow_pickle=False) as file:
        images, labels = file["images"], file["labels"]
else:
    digits = load_digits()
    images = np.kron(digits.images[:900], np.ones((1, 3, 3)))  # 24 x 24 pixels
    labels = digits.target[:900]

parts = train_test_split(images, labels, test_size=0.25, random_state=0, stratify=labels)
train_images, test_images, train_labels, test_labels = parts

for chip in (0, 1):
    model = DeplmClassifier(chip_seed=chip).fit(train_images, train_labels)
    correct = model.score(test_images, test_labels)
    print(
        f"chip {chip}: {correct:.1%} of {len(test_labels)} test images, penalty {model.penalty_:g}"
    )

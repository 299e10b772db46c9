// Labelled images to train on: the data sets by name, split for honest selection.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "core/tensor.h"
#include "data/augment.h"
#include "data/image_source.h"
#include "nn/module.h"

namespace tenon::experiment {

/// Images that are only looked at: float32 [N, C, H, W], labels int64 [N].
struct Labelled {
  Tensor images, labels;
};

/// A data set in three parts: what is trained on, what choices are made by, and what is reported.
struct ImageProblem {
  std::string name;  ///< "MNIST"
  std::string
      description;  ///< "MNIST, 55000 / 5000 / 10000 images (train / validation / test), the published files ..."
  int64_t classes = 0;
  Shape image;  ///< [C, H, W] as the network sees it
  std::shared_ptr<const TensorSource> source;
  std::vector<int64_t> train;  ///< indices into source
  Labelled validation, test;   ///< normalised; validation is empty if none was asked for
  Augmentation augment;        ///< of training images, normalisation included
};

/// What is made of a data set.
struct ImageSetup {
  int64_t train = 0;          ///< how many training images at most; 0: all that are not held out
  int64_t validation = 5000;  ///< held out of the training images, the same for every seed of a run
  int64_t test = 0;           ///< how many test images at most; 0: all
  int64_t pool = 1;           ///< means over squares of so many pixels a side take the place of the pixels
  int64_t frame = 0;          ///< zeros put around each image, on each side, after that: 28 x 28 to 32 x 32
  Augmentation augment;       ///< mean and std also normalise validation and test images
};

/// Loads a set that load_dataset knows. Which images are held out, and which are kept where fewer are asked for, is drawn
/// once for all seeds. Throws Error as load_dataset, if more images are asked for than there are, and if MNIST's
/// training images do not have the published class counts, pixel mean and standard deviation.
ImageProblem load_images(const std::string& data, const ImageSetup& setup);

/// [1, C, H, W]
Shape one_image(const Shape& image);

/// Fraction of `set`, which may lie on another device, that the network gets right, in evaluation mode.
double accuracy(Module& net, const Labelled& set);

}  // namespace tenon::experiment

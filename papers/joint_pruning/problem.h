// The images of each network: MNIST and its like as they are, so that black stays 0; CIFAR-10 normalised.
#pragma once

#include "papers/experiment/images.h"
#include "papers/joint_pruning/networks.h"

namespace tenon::joint_pruning {

/// `data` for `network`, 10,000 of whose training images are held out for validation. ConvNet-5 sees 24 x 24 crops, drawn
/// for training and central otherwise; ResNet-32 shifts by up to 4 pixels; both mirror. `train` > 0 keeps so many training
/// images; `reduced` keeps 1,000 / 500 / 500 images, for tests. Throws Error if the network is not one for these images.
experiment::ImageProblem load_problem(const std::string& data, Network network, int64_t train, bool reduced);

/// True if the network is trained on that data set.
bool fits(Network network, const std::string& data);

/// The first `count` of the training images in a fixed random order, as validation images are seen: what counts and
/// thresholds are taken on.
Tensor training_images(const experiment::ImageProblem& problem, int64_t count);

}  // namespace tenon::joint_pruning

// Made-up images to train on in the tests of papers: enough to be learned, never reported.
#pragma once

#include <string>

#include "papers/experiment/images.h"

namespace tenon::test {

/// `count` noisy copies of the patterns base [K, C, H, W], drawn at random, with their numbers as labels. Equal for equal
/// `stream`.
experiment::Labelled noisy_copies(const Tensor& base, int64_t count, uint64_t stream);

/// A problem of these images, values from 0 to 1; the training ones are kept as bytes.
experiment::ImageProblem image_problem(const std::string& name, int64_t classes,
                                       const experiment::Labelled& train,
                                       const experiment::Labelled& validation,
                                       const experiment::Labelled& test);

}  // namespace tenon::test

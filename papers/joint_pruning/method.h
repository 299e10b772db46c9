// The method: which weights are cut, how the masks of activations are set, and how winner rates are chosen.
#pragma once

#include <functional>
#include <vector>

#include "nn/compress/mask.h"
#include "papers/joint_pruning/networks.h"

namespace tenon::joint_pruning {

/// Masks of all weights (tensors of rank 2 and more, in order): the round(density * size) largest magnitudes of each stay,
/// by its own threshold; fewer if magnitudes at the threshold are equal. What was cut before is 0 and stays cut. Biases and
/// norms are not pruned. `densities` has one entry a weight, or fewer: then the last one counts for all that follow.
Masks weight_masks(const Module& net, const std::vector<double>& densities);

/// Sets all masks to winners of these rates (one a mask, the last for all that follow) and dropout to the paper's rule:
/// its rate in dense training times sqrt(rate) of the mask before it.
void set_winners(MaskedNet& net, const std::vector<double>& rates,
                 const ActivationMaskOptions& like = {.rule = MaskRule::winners});
/// Lets all activations through; dropout at its rate of dense training.
void release(MaskedNet& net);

/// Fixes one threshold a mask, so that on `images` a fraction `rates` of the activations lies above it: by layer, from the
/// first, with the thresholds before it in place.
void set_static_thresholds(MaskedNet& net, const std::vector<double>& rates, const Tensor& images);

// ---- sensitivity ------------------------------------------------------------------------------------------------------

/// Accuracy when one mask alone is set to each rate of a grid.
struct Curve {
  std::vector<double> rates, accuracy;  ///< rates fall; the first is 1
};

/// 1, 0.9, ..., 0.1, 0.05
const std::vector<double>& rate_grid();

/// One curve a mask. `accuracy` is asked with the masks set; it must look at validation images. Leaves the net released.
std::vector<Curve> sensitivity(MaskedNet& net, const std::function<double()>& accuracy);

/// Each mask's smallest rate that costs at most `alone`; while all of them together cost more than `joint`, the mask whose
/// curve is steepest at its rate goes up one step of the grid. Leaves the winners set.
std::vector<double> choose_rates(MaskedNet& net, const std::vector<Curve>& curves,
                                 const std::function<double()>& accuracy, double alone = 0.005,
                                 double joint = 0.02);

}  // namespace tenon::joint_pruning

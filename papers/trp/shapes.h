// One step of a network of the ImageNet tables without its images: shapes, memory and times, and no accuracy.
#pragma once

#include <filesystem>
#include <string>

#include "papers/experiment/table.h"

namespace tenon::trp {

/// A training step and a cut of "resnet18" or "resnet50" (or any other network, at 32 x 32) on made-up images, under both
/// schemes: multiply-accumulates, memory, seconds, the share of the cuts at m = 20, and what the energy rule of the paper
/// (e = 0.005) leaves. `weights`: a safetensors file with torchvision's names, or empty for random ones. Throws Error as
/// load_weights.
experiment::Table shapes_table(const std::string& network, const std::filesystem::path& weights);

}  // namespace tenon::trp

// The baseline of pruned filters: H. Li et al., "Pruning Filters for Efficient ConvNets", ICLR 2017. Within each residual
// block the filters of least L1 norm go, of every convolution but the last, whose outputs the shortcut fixes.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "nn/sequential.h"

namespace tenon::trp {

/// Filters that stay, ascending, by the name of the convolution.
using Filters = std::map<std::string, std::vector<int64_t>>;

/// The same share of each layer, the largest with which the convolutions need at most `macs` for one image [C, H, W];
/// nothing if one filter a layer needs more.
std::optional<Filters> filters_by_macs(Sequential& net, const Shape& image, int64_t macs);

/// Removes the others in place: rows of the convolution, entries of its batch norm, columns of the next convolution.
void keep_filters(Sequential& net, const Filters& filters);

}  // namespace tenon::trp

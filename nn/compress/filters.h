// Filter pruning in residual networks: whole filters go, and with them their entries of the batch norm behind and their
// columns of the next convolution. Within each block that is every convolution but the last, whose outputs the shortcut fixes.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "nn/module.h"

namespace tenon {

/// Which filters of a layer go first.
enum class FilterNorm {
  l1,      ///< the smallest sum |w| (Li et al., "Pruning Filters for Efficient ConvNets", ICLR 2017)
  median,  ///< the smallest sum of distances to the others, which can stand for it (FPGM: He et al., CVPR 2019)
};

/// Indices of the `count` filters of a weight [n, c, kh, kw] that stay, ascending; 1 <= count <= n.
std::vector<int64_t> strongest_filters(const Tensor& weight, int64_t count, FilterNorm norm = FilterNorm::l1);

/// Filters that stay, ascending, by the name of the convolution.
using Filters = std::map<std::string, std::vector<int64_t>>;

/// round(share n) of the n filters of each layer, at least one. Throws Error unless 0 <= share <= 1.
Filters filters_by_share(Module& net, double share, FilterNorm norm = FilterNorm::l1);

/// The same share of each layer, the largest with which the convolutions need at most `macs` for an input of shape `input`;
/// nothing if one filter a layer needs more.
std::optional<Filters> filters_by_macs(Module& net, const Shape& input, int64_t macs);

/// Removes the others in place. The convolutions have no bias, as those of a residual network.
void keep_filters(Module& net, const Filters& filters);

}  // namespace tenon

// Channels that stand or fall together, and the removal of those that are dead.
//
// A channel is written by a filter (with its entries of the batch norm behind) and read by columns of later layers. In a
// residual network all blocks of a stage add to the same channels, which the identity shortcuts carry on: they have many
// writers, and go only from all of them. Inside a block every convolution but the last has channels of its own.
//
// A channel is dead if all its writers emit nothing but 0, or if nothing reads it. Removing some may leave others
// unread, so shrinking repeats until nothing changes (specification: DeepHoyer, section 2.6). What stays computes the same.
#pragma once

#include <string>
#include <vector>

#include "nn/sequential.h"

namespace tenon {

/// One set of channels, by the paths of the layers around it.
struct ChannelGroup {
  struct Writer {
    std::string conv;
    std::string norm;  ///< "" if none follows
  };
  std::vector<Writer> writers;
  std::vector<std::string> readers;  ///< convolutions (axis 1 of the weight) and Linear layers (columns)

  /// The path of the first writer: "conv1" for the first stage of a residual network, "layer1.0.conv1" inside a block.
  const std::string& name() const { return writers.front().conv; }
};

/// The groups of a chain of Conv2d, batch norms, ReLU, pooling, residual blocks, chains of these, and one Linear behind a
/// Flatten of [N, C, 1, 1], in order of their first writers. The input's channels and the classes are in none. Throws Error
/// that names the module if there is another kind, a grouped convolution, or a Linear that reads more than a column a
/// channel.
std::vector<ChannelGroup> channel_groups(Sequential& net);

/// Number of channels of the group.
int64_t channels_of(Module& net, const ChannelGroup& group);
/// The channels, ascending, that some writer writes (in evaluation mode) and some reader reads; channel 0 if there is none.
std::vector<int64_t> live_channels(Module& net, const ChannelGroup& group);
/// Removes the others from all writers and readers, in place, on the host.
void keep_channels(Module& net, const ChannelGroup& group, const std::vector<int64_t>& kept);

struct KeptChannels {
  std::string name;  ///< the group's
  bool shared;       ///< by the blocks of a stage: it has more than one writer
  int64_t before = 0;
  std::vector<int64_t> kept;  ///< as indices of the original channels; ascending
};

/// Removes dead channels in place until none is left but the last one of a group.
std::vector<KeptChannels> shrink_channels(Sequential& net);

}  // namespace tenon

#include "papers/joint_pruning/published.h"

namespace tenon::joint_pruning {

const std::vector<Published>& published() {
  static const std::vector<Published> all = {
      {Network::mlp3,
       98.41,
       98.42,
       {{"fc1", 10, 12, 3.77}, {"fc2", 10, 24, 2.62}, {"fc3", 20, 100, 6.81}},
       {"total", 10, 17.1, 3.65},
       "jp-12-24"},
      {Network::convnet5,
       86.0,
       85.94,
       {{"conv1", 70, 50.6, 70},
        {"conv2", 50, 17.3, 25.3},
        {"fc1", 40, 9.9, 6.92},
        {"fc2", 30, 44.8, 3.0},
        {"fc3", 50, 100, 22.4}},
       {"total", 40.4, 43.6, 27.7},
       "convnet-jp"},
      {Network::alexnet,
       57.22,
       57.26,
       {{"conv1", 85, 68.7, 85},
        {"conv2", 40, 35.8, 27.5},
        {"conv3", 35, 25, 12.6},
        {"conv4", 40, 25, 10},
        {"conv5", 40, 27.7, 10}},
       {"total", 38.8, 44.2, 28.9},
       ""},
      {Network::resnet32,
       95.01,
       94.58,
       {{"conv1", 40, 40, 40}, {"unit 2", 40, 40, 16}, {"unit 3", 40, 40, 16}, {"unit 4", 30, 30, 9.5}},
       {"total", 32.4, 38.6, 13.7},
       "resnet-jp"},
  };
  return all;
}

}  // namespace tenon::joint_pruning

// A place for what a library of a device prepares for some data (cuda/library/cusparse.cpp): kept beside the data, it
// lives as long as they do.
#pragma once

#include <memory>
#include <mutex>

namespace tenon {

struct LibraryPlan {
  std::mutex mutex;  ///< to be held by who uses the plan
  std::shared_ptr<void> plan;
};

}  // namespace tenon

#include "cuda/runtime/settings.h"

#include <cstdlib>
#include <string_view>
#include <utility>

#include "core/error.h"

namespace tenon::cuda {
namespace {

bool chosen(const char* variable, std::string_view standard, std::string_view other) {
  const char* text = std::getenv(variable);
  if (text == nullptr || *text == '\0' || text == standard) return false;
  TENON_CHECK(text == other, variable, ": expects ", standard, " or ", other, ", got '", text, "'");
  return true;
}

Settings& current() {
  static Settings settings{chosen("TENON_CUDA_MATMUL", "hand", "cublas"),
                           chosen("TENON_CUDA_CONV", "hand", "cudnn"),
                           chosen("TENON_CUDA_SPMM", "hand", "cusparse"),
                           chosen("TENON_CUDA_SVD", "hand", "cusolver"), chosen("TENON_CUDA_TF32", "0", "1")};
  return settings;
}

}  // namespace

const Settings& settings() { return current(); }
Settings set_settings(const Settings& settings) { return std::exchange(current(), settings); }

}  // namespace tenon::cuda

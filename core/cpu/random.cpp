#include "core/cpu/random.h"

#include <algorithm>

#include "core/parallel.h"

namespace tenon::cpu {

void draw(const Distribution& distribution, const PhiloxStream& stream, uint64_t first_block, int64_t n,
          DType dtype, void* out) {
  drawn::visit(distribution, dtype, [&](auto tag, auto number) {
    auto* const to = static_cast<decltype(tag)*>(out);
    parallel_for((n + 3) / 4, 4096, [&](int64_t begin, int64_t end) {
      for (int64_t b = begin; b < end; ++b) {
        const auto words = stream.block(first_block + static_cast<uint64_t>(b));
        const int64_t count = std::min<int64_t>(4, n - b * 4);
        for (int64_t i = 0; i < count; ++i) to[b * 4 + i] = number(words[static_cast<size_t>(i)]);
      }
    });
  });
}

}  // namespace tenon::cpu

// The contract of an op. core/ops/list.inc names every op once; from it come symbols that must be defined
// beside the op's forward, backward, CUDA entry and catalogue row. The test program refers to all of them, so
// what is missing is a link error that names it: `undefined reference to tenon::contract::backward::conv_`.
#pragma once

// [parts]
/// Put beside the forward in core/ops/<family>.cpp, at global scope.
#define TENON_FORWARD(name) TENON_CONTRACT_SYMBOL(forward, name)
/// Put beside the differentiable form in autograd/ops/<family>.cpp (for ops of differentiability `twice` or
/// `once`).
#define TENON_BACKWARD(name) TENON_CONTRACT_SYMBOL(backward, name)
/// Put beside the host entry of the CUDA kernel in cuda/kernels/ (for ops of devices `both`).
#define TENON_CUDA_ENTRY(name) TENON_CONTRACT_SYMBOL(cuda_entry, name)
/// Put beside the row in tests/catalogue/<family>.cpp.
#define TENON_ROW(name) TENON_CONTRACT_SYMBOL(row, name)
// [/parts]

#define TENON_CONTRACT_SYMBOL(part, name) \
  namespace tenon::contract::part {       \
  extern const char name##_;              \
  const char name##_ = 0;                 \
  }

namespace tenon::contract {

enum class Differentiable { twice, once, no };
enum class Devices { cpu, both };

/// One line of core/ops/list.inc.
struct OpInfo {
  const char* name;
  const char* family;
  Differentiable differentiable;
  Devices devices;
  const char* reason;  ///< why not differentiable twice, or ""
};

/// All lines of the list; `count` receives their number. Linking this file in makes a missing forward a link
/// error.
const OpInfo* ops(int& count);
/// Linking these in makes a missing backward, or a missing CUDA entry, a link error. They return the number
/// of ops.
int linked_backwards();
int linked_cuda_entries();

}  // namespace tenon::contract

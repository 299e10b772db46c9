// Refers to the CUDA entry of every op that has one, so that a missing one is a link error
// (core/ops/contract.h).
#include "core/ops/contract.h"

namespace tenon::contract {
#ifdef TENON_CUDA_OFF

int linked_cuda_entries() { return 0; }

#else

namespace cuda_entry {
#define TENON_DECLARE_cpu(name)
#define TENON_DECLARE_both(name) extern const char name##_;
#define TENON_OP(name, family, differentiable, devices, reason) TENON_DECLARE_##devices(name)
#include "core/ops/list.inc"
#undef TENON_OP
}  // namespace cuda_entry

namespace {
#define TENON_ADDRESS_cpu(name)
#define TENON_ADDRESS_both(name) &cuda_entry::name##_,
const char* const kEntries[] = {
#define TENON_OP(name, family, differentiable, devices, reason) TENON_ADDRESS_##devices(name)
#include "core/ops/list.inc"
#undef TENON_OP
};
}  // namespace

int linked_cuda_entries() {
  int count = 0;
  for (const char* symbol : kEntries) count += symbol != nullptr;
  return count;
}

#endif
}  // namespace tenon::contract

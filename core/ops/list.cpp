#include "core/ops/contract.h"

namespace tenon::contract {

namespace forward {
#define TENON_OP(name, family, differentiable, devices, reason) extern const char name##_;
#include "core/ops/list.inc"
#undef TENON_OP
}  // namespace forward

namespace {
// Taking each address is what makes the linker ask for it.
const char* const kForwards[] = {
#define TENON_OP(name, family, differentiable, devices, reason) &forward::name##_,
#include "core/ops/list.inc"
#undef TENON_OP
};

const OpInfo kOps[] = {
#define TENON_OP(name, family, differentiable, devices, reason) \
  {#name, #family, Differentiable::differentiable, Devices::devices, reason},
#include "core/ops/list.inc"
#undef TENON_OP
};
}  // namespace

const OpInfo* ops(int& count) {
  count = 0;
  for (const char* symbol : kForwards) count += symbol != nullptr;
  return kOps;
}

}  // namespace tenon::contract

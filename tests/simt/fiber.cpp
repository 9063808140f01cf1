#include "fiber.h"

#include <sys/mman.h>

#include <algorithm>
#include <vector>

#include "detail.h"

#if SIMT_ASAN
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#else
static void __sanitizer_start_switch_fiber(void**, const void*, std::size_t) {}
static void __sanitizer_finish_switch_fiber(void*, const void**, std::size_t*) {}
static void __asan_unpoison_memory_region(const void*, std::size_t) {}
#endif

// Stores our stack pointer and continues on another stack.
extern "C" void simt_switch(void** save, void* load);

#if defined(__x86_64__)
asm(R"(
.pushsection .text
.type simt_switch, @function
simt_switch:
  pushq %rbp; pushq %rbx; pushq %r12; pushq %r13; pushq %r14; pushq %r15
  movq %rsp, (%rdi)
  movq %rsi, %rsp
  popq %r15; popq %r14; popq %r13; popq %r12; popq %rbx; popq %rbp
  popq %rcx
  jmp *%rcx
.size simt_switch, . - simt_switch
.popsection
)");

static void* new_context(char* top, void (*entry)()) {
  void** sp = reinterpret_cast<void**>(top) - 2;  // so that %rsp is 8 off a multiple of 16 on entry
  *sp = reinterpret_cast<void*>(entry);
  std::fill_n(sp - 6, 6, nullptr);
  return sp - 6;
}
#else
#include <ucontext.h>  // any other machine: correct, but a system call a switch

#include <new>

static void* new_context(char* top, void (*entry)()) {
  constexpr std::size_t kUsable = 96 * 1024, kContext = 4 * 1024;
  static_assert(sizeof(ucontext_t) <= kContext);
  auto* context = new (top - kUsable - kContext) ucontext_t;
  getcontext(context);
  context->uc_stack.ss_sp = top - kUsable;
  context->uc_stack.ss_size = kUsable;
  context->uc_link = nullptr;
  makecontext(context, entry, 0);
  return context;
}

extern "C" void simt_switch(void** save, void* load) {
  ucontext_t here;
  *save = &here;
  swapcontext(&here, static_cast<ucontext_t*>(load));
}
#endif

namespace simt::detail {
namespace {

constexpr std::size_t kStack = 128 * 1024, kGuard = 4096;

// Stacks in one reserved range, each above a guard page.
class Stacks {
 public:
  static constexpr std::size_t kMost = 1 << 17;

  char* take() {
    if (free_.empty()) make();
    char* stack = free_.back();
    free_.pop_back();
    return stack;
  }
  void give_back(char* stack) { free_.push_back(stack); }
  // Staggered, so that the hot ends of a block's stacks do not all map to the same cache sets.
  char* top(char* stack) const { return stack + kStack - (stack - base_) / kStack * 576 % 4096; }
  bool contains(const void* p) const { return p >= base_ && p < base_ + kMost * kStack; }

 private:
  void make() {
    if (made_ == kMost) fail("too many live threads");
    char* stack = base_ + kStack * made_++;
    mprotect(stack, kGuard, PROT_NONE);
    free_.push_back(stack);
  }
  char* const base_ = static_cast<char*>(mmap(nullptr, kMost* kStack, PROT_READ | PROT_WRITE,
                                              MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0));
  std::vector<char*> free_;
  std::size_t made_ = 0;
};

Stacks& stacks() {
  static Stacks& all = *new Stacks;  // never destroyed: static objects of a program may still run kernels
  return all;
}

void *host_sp, *host_fake_stack;
Fiber* running;
const void* host_bottom;
std::size_t host_size;

}  // namespace

void Fiber::resume(void (*entry)()) {
  if (!started()) {
    stack_ = stacks().take();
    __asan_unpoison_memory_region(stack_ + kGuard, kStack - kGuard);
    sp_ = new_context(stacks().top(stack_), entry);
  }
  running = this;
  __sanitizer_start_switch_fiber(&host_fake_stack, stack_ + kGuard, kStack - kGuard);
  simt_switch(&host_sp, sp_);
  __sanitizer_finish_switch_fiber(host_fake_stack, nullptr, nullptr);
}

void Fiber::suspend() {
  __sanitizer_start_switch_fiber(&fake_stack_, host_bottom, host_size);
  simt_switch(&sp_, host_sp);
  __sanitizer_finish_switch_fiber(fake_stack_, &host_bottom, &host_size);
}

void Fiber::release() {
  if (stack_) stacks().give_back(stack_);
  stack_ = nullptr;
}

void Fiber::entered() { __sanitizer_finish_switch_fiber(nullptr, &host_bottom, &host_size); }

void Fiber::leave_for_good() {
  __sanitizer_start_switch_fiber(nullptr, host_bottom, host_size);
  simt_switch(&running->sp_, host_sp);
}

bool Fiber::on_some_stack(const void* p) { return stacks().contains(p); }

}  // namespace simt::detail

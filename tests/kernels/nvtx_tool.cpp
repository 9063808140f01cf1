// A profiler for the test of NVTX ranges: NVTX loads it if NVTX_INJECTION64_PATH names it. It writes down
// the ranges of all domains, each as "domain:name" with one leading space per enclosing range.
#include <nvtx3/nvToolsExt.h>

#include <array>
#include <deque>
#include <mutex>
#include <string>

namespace {

std::mutex guard;
std::deque<std::string> domains;  // their addresses are the handles
std::string ranges;
int depth = 0;

nvtxDomainHandle_t create_domain(const char* name) {
  const std::lock_guard lock(guard);
  return reinterpret_cast<nvtxDomainHandle_t>(&domains.emplace_back(name));
}

int push_range(nvtxDomainHandle_t domain, const nvtxEventAttributes_t* attributes) {
  const std::lock_guard lock(guard);
  ranges += std::string(static_cast<std::size_t>(depth), ' ') + *reinterpret_cast<std::string*>(domain) +
            ":" + attributes->message.ascii + "\n";
  return depth++;
}

int pop_range(nvtxDomainHandle_t) {
  const std::lock_guard lock(guard);
  return --depth;
}

template <class Function>
void install(NvtxFunctionTable table, int index, Function function) {
  *table[index] = reinterpret_cast<NvtxFunctionPointer>(function);
}

}  // namespace

extern "C" {

// Called by NVTX. Returns 1 to attach.
int InitializeInjectionNvtx2(NvtxGetExportTableFunc_t export_table) {
  const auto* callbacks = static_cast<const NvtxExportTableCallbacks*>(export_table(NVTX_ETID_CALLBACKS));
  NvtxFunctionTable table = nullptr;
  unsigned size = 0;
  if (!callbacks || !callbacks->GetModuleFunctionTable(NVTX_CB_MODULE_CORE2, &table, &size)) return 0;
  install(table, NVTX_CBID_CORE2_DomainCreateA, create_domain);
  install(table, NVTX_CBID_CORE2_DomainRangePushEx, push_range);
  install(table, NVTX_CBID_CORE2_DomainRangePop, pop_range);
  return 1;
}

// Returns the ranges so far, and how many of them are open.
const char* nvtx_tool_ranges() { return ranges.c_str(); }
int nvtx_tool_depth() { return depth; }

}  // extern "C"
